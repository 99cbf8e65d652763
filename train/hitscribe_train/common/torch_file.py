"""Reads what torch.save has written, as data: objects of classes that are not PyTorch's come back empty."""

import pickle

import torch


class Empty:
    """Stands for an object of the file whose class is not known here. Nothing of it is run or kept."""

    def __new__(cls, *_, **__):
        return super().__new__(cls)

    def __setstate__(self, _):
        pass


def read_torch_file(path):
    """The file's object. No code of it runs: PyTorch's reader for weights alone builds nothing but tensors and plain
    values, and `Empty` objects for everything else.

    Raises SystemExit with the path and the fault where that is no such file.
    """
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        empty = [(type(name.rpartition(".")[2], (Empty,), {}), name) for name in names]
        with torch.serialization.safe_globals(empty):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        raise SystemExit(f"{path}: not a file of torch.save ({str(error).splitlines()[0]})") from None
