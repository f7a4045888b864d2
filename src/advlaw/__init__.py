"""Laws of adversarial error. `advlaw.measure` is what a notebook needs; it is imported when it is first asked for."""

TYPE_CHECKING = False  # as in typing, which takes time to import
if TYPE_CHECKING:
    from advlaw.interface.measure import measure
    from advlaw.interface.measurement import Measurement

__all__ = ["Measurement", "measure"]


def __getattr__(name: str) -> object:
    """What `__all__` names, and torch with it: `import advlaw` alone takes no time."""
    if name not in __all__:
        raise AttributeError(f"module 'advlaw' has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib

    return getattr(importlib.import_module(f"advlaw.interface.{name.lower()}"), name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
