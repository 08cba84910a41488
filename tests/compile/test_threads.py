"""A function on several threads at once, through torch's OpenMP runtime and without it."""

import pytest
import torch

from recurra.compile import objects, threads

# Adds one to the first number and waits until it is as large as the second: returns only if all threads run at once.
TEXT = """
define void @run(ptr %p) {
entry:
  %wanted_at = getelementptr i64, ptr %p, i64 1
  %wanted = load i64, ptr %wanted_at
  %before = atomicrmw add ptr %p, i64 1 seq_cst
  br label %wait
wait:
  %now = load atomic i64, ptr %p seq_cst, align 8
  %ready = icmp sge i64 %now, %wanted
  br i1 %ready, label %done, label %wait
done:
  ret void
}
"""


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("openmp", [True, False], ids=["openmp", "plain"])
def test_all_threads_run_the_function_at_once(count, openmp, monkeypatch):
    if not openmp:
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    numbers = torch.tensor([0, count])
    threads.run(objects.function(TEXT, "run"), numbers.data_ptr(), count)
    assert numbers[0] == count


def test_torchs_runtime_is_found_where_torch_uses_it():
    if not threads._loaded("libgomp"):
        pytest.skip("torch runs on another OpenMP runtime")
    assert isinstance(threads._openmp(), threads.OpenMP)
