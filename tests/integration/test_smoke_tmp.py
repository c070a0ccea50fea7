"""x."""
import pytest
from temporalio.client import Client
def test_skip(): pytest.skip("needs Node: install it")
def test_skip2(): pytest.skip("other")
@pytest.mark.skipif(True, reason="needs Redis: install it")
def test_skip3(): ...
async def test_run(client: Client, running_worker, task_queue):
    for sandboxed in (True, False):
        async with running_worker(sandboxed=sandboxed):
            h = await client.start_workflow("GraphWorkflow", {"definition": {"name":"a","nodes":[{"id":"x","type":"DataInput","config":{"value":{"a":1}}}]}}, id=task_queue+str(sandboxed), task_queue=task_queue)
            try: print(await h.result())
            except Exception as e: print(repr(e), repr(e.cause))
