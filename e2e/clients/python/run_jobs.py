"""Create, execute, watch, cancel and delete jobs of Cloud Run with Google's own
library for Python.

SUNYA_IMAGE  an image whose program fails when $FAIL is set, and sleeps for $SLEEP
             seconds
"""

import os

from connect import TRANSPORT, WAIT, client, refused
from google.api_core import exceptions
from google.cloud import run_v2

PARENT = "projects/sunya/locations/local"

jobs, executions, tasks = client(run_v2.JobsClient), client(run_v2.ExecutionsClient), client(run_v2.TasksClient)


def overrides(**env):
    """What differs for one execution: variables."""
    return run_v2.RunJobRequest.Overrides(
        container_overrides=[
            run_v2.RunJobRequest.Overrides.ContainerOverride(env=[run_v2.EnvVar(name=n, value=v) for n, v in env.items()])
        ]
    )


job = run_v2.Job(
    template=run_v2.ExecutionTemplate(
        task_count=2,
        template=run_v2.TaskTemplate(max_retries=0, containers=[run_v2.Container(image=os.environ["SUNYA_IMAGE"])]),
    )
)
ID = "python-" + TRANSPORT
made = jobs.create_job(parent=PARENT, job=job, job_id=ID).result(timeout=WAIT)
assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED, made
refused(exceptions.Conflict, lambda: jobs.create_job(parent=PARENT, job=job, job_id=ID))
refused(exceptions.NotFound, lambda: jobs.get_job(name=PARENT + "/jobs/none"))

done = jobs.run_job(name=made.name).result(timeout=WAIT)
assert done.succeeded_count == 2 and done.completion_time, done
indexes = [t.index for t in tasks.list_tasks(request={"parent": done.name, "page_size": 1})]
assert indexes == [0, 1], indexes

run = jobs.run_job(request=run_v2.RunJobRequest(name=made.name, overrides=overrides(FAIL="yes")))
refused(exceptions.GoogleAPICallError, lambda: run.result(timeout=WAIT))
failed = executions.get_execution(name=run.metadata.name)
assert failed.failed_count == 2, failed

run = jobs.run_job(request=run_v2.RunJobRequest(name=made.name, overrides=overrides(SLEEP="3600")))
cancelled = executions.cancel_execution(name=run.metadata.name).result(timeout=WAIT)
assert cancelled.cancelled_count == 2, cancelled
assert len(list(executions.list_executions(parent=made.name))) == 3

made = jobs.get_job(name=made.name)
made.template.task_count = 1
made = jobs.update_job(job=made).result(timeout=WAIT)
assert made.template.task_count == 1 and made.generation == 2, made
jobs.delete_job(name=made.name).result(timeout=WAIT)
refused(exceptions.NotFound, lambda: jobs.get_job(name=made.name))
print("ok", TRANSPORT)
