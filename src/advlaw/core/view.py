"""How a net is shown an image file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """What a net is shown of an image: its shorter side scaled to `resize`, then the middle `size` x `size` pixels."""

    size: int
    resize: int
    interpolation: str = "bilinear"
    channels: int = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.size, self.size
