"""The geometry of a window that slides over an image, shared by convolution and pooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import RuleViolation

__all__ = ["Window"]


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel of ``kernel`` positions, moved by ``stride`` over an image padded by ``padding``.

    All pairs are (vertical, horizontal); padding is added on both sides.
    Output size = floor((size + 2 padding - kernel) / stride) + 1.
    """

    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def verify(self) -> None:
        """Raise RuleViolation unless the window is well formed and fits the image."""
        for what in ("kernel", "stride"):
            if min(getattr(self, what)) < 1:
                raise RuleViolation(f"{what} must be 1 or more, not {getattr(self, what)}")
        for axis, pad in enumerate(self.padding):
            if not 0 <= pad < self.kernel[axis]:
                raise RuleViolation(
                    f"padding must be 0 or more and less than the kernel {self.kernel}, "
                    f"not {self.padding}"
                )
        if self.out_height < 1 or self.out_width < 1:
            raise RuleViolation(
                f"kernel {self.kernel} must fit the padded image "
                f"({self.height + 2 * self.padding[0]}, {self.width + 2 * self.padding[1]})"
            )

    @property
    def out_height(self) -> int:
        return (self.height + 2 * self.padding[0] - self.kernel[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        return (self.width + 2 * self.padding[1] - self.kernel[1]) // self.stride[1] + 1

    @property
    def positions(self) -> int:
        """Number of window positions."""
        return self.out_height * self.out_width

    @property
    def row(self) -> int:
        """Raster steps a row: the width, and more where the windows of a row are more than that."""
        return max(self.width, (self.out_width - 1) * self.stride[1] + 1)

    @property
    def steps(self) -> int:
        """Raster steps of a line buffer for one image.

        It steps once for every pixel, and on without pixels until the last window, which
        may reach into the padding, is complete.
        """
        last_pixel = (self.height - 1) * self.row + self.width - 1
        last_y = (self.out_height - 1) * self.stride[0] - self.padding[0] + self.kernel[0] - 1
        last_x = (self.out_width - 1) * self.stride[1] - self.padding[1] + self.kernel[1] - 1
        return max(last_pixel, last_y * self.row + last_x) + 1

    def gather(self, x: np.ndarray, fill: int = 0) -> np.ndarray:
        """All windows of a batch of images.

        Parameters
        ----------
        x
            Shape (batch, height, width, channels).
        fill
            Value of the padding.

        Returns
        -------
        A view or copy of shape (batch, out_height, out_width, kernel height, kernel width, channels).
        """
        (ph, pw), (sh, sw) = self.padding, self.stride
        if ph or pw:
            x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)), constant_values=fill)
        view = np.lib.stride_tricks.sliding_window_view(x, self.kernel, axis=(1, 2))
        view = view[:, : (self.out_height - 1) * sh + 1 : sh, : (self.out_width - 1) * sw + 1 : sw]
        return view.transpose(0, 1, 2, 4, 5, 3)
