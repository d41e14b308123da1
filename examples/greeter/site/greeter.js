// The pipeline writes config.json beside this file when it deploys the site: where this stage's API
// is, and which version was deployed.
const config = await (await fetch("config.json", { cache: "no-store" })).json();

const element = (id) => document.getElementById(id);

async function greet(name) {
  const query = name ? `?${new URLSearchParams({ name })}` : "";
  const response = await fetch(`${config.apiBaseurl.replace(/\/$/, "")}/greeting${query}`);
  if (!response.ok) {
    element("greeting").textContent = `The API answered ${response.status}.`;
    return;
  }
  const { greeting, version } = await response.json();
  element("greeting").textContent = greeting;
  element("api-version").textContent = version;
}

element("site-version").textContent = config.version;
element("who").addEventListener("submit", (event) => {
  event.preventDefault();
  greet(element("name").value);
});
await greet();
