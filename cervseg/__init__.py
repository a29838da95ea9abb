"""cervseg: self-configuring segmentation of cervical spinous processes on lateral radiographs.

Research software, not a medical device. The functions below are all that most users need; each is imported
when it is first used. To read the code, start at :mod:`cervseg.pipeline`.

>>> import cervseg
>>> cervseg.plan_and_preprocess(1)                           # doctest: +SKIP
>>> cervseg.train(1, "CervSpineNetTrainer", folds=[0])       # doctest: +SKIP
>>> cervseg.predict("images/", "masks/", overlay=True)       # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cervseg.core.paths import Workspace
    from cervseg.core.types import Prediction
    from cervseg.inference.predictor import Predictor
    from cervseg.pipeline.compare import compare
    from cervseg.pipeline.evaluate import evaluate
    from cervseg.pipeline.explain import explain
    from cervseg.pipeline.export import export
    from cervseg.pipeline.plan import plan_and_preprocess
    from cervseg.pipeline.predict import load_model, predict
    from cervseg.pipeline.train import train
    from cervseg.pipeline.trainers import list_trainers

__version__ = "0.2.0"

__all__ = [
    "Prediction",
    "Predictor",
    "Workspace",
    "__version__",
    "compare",
    "evaluate",
    "explain",
    "export",
    "list_trainers",
    "load_model",
    "plan_and_preprocess",
    "predict",
    "train",
]

_HOME = {
    "Prediction": "cervseg.core.types",
    "Predictor": "cervseg.inference.predictor",
    "Workspace": "cervseg.core.paths",
    "compare": "cervseg.pipeline.compare",
    "evaluate": "cervseg.pipeline.evaluate",
    "explain": "cervseg.pipeline.explain",
    "export": "cervseg.pipeline.export",
    "list_trainers": "cervseg.pipeline.trainers",
    "load_model": "cervseg.pipeline.predict",
    "plan_and_preprocess": "cervseg.pipeline.plan",
    "predict": "cervseg.pipeline.predict",
    "train": "cervseg.pipeline.train",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562): ``import cervseg`` stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module 'cervseg' has no attribute {name!r}")
    found: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
