/** Makes a check the handler of a hook: it passes unless it throws. Of CodeDeploy's events there is no `Delivery`. */
export const hook = (check) => async (event) => {
  const verdict = { status: "Succeeded" };
  try {
    await check(event);
  } catch (error) {
    Object.assign(verdict, { status: "Failed", message: `${error?.message ?? error}` });
  }
  if (!event.Delivery) {
    const { DeploymentId: deploymentId, LifecycleEventHookExecutionId: lifecycleEventHookExecutionId } = event;
    const { CodeDeploy } = await import("@aws-sdk/client-codedeploy");
    const said = { deploymentId, lifecycleEventHookExecutionId, status: verdict.status };
    await new CodeDeploy().putLifecycleEventHookExecutionStatus(said);
  }
  return verdict;
};
