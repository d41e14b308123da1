import { hook } from "./hook.mjs";

export const handler = hook(async () => {
  const answer = await fetch(process.env.URL);
  if (!answer.ok) throw new Error(`${process.env.URL} answers ${answer.status}`);
});
