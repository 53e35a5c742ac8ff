"""A tape on which a network's operators are written down, shapes worked out on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

from devices.latency.graph.records import OperatorRecord


def make_divisible(value: float, divisor: int = 8, min_value: int | None = None) -> int:
    """Round channels as the MobileNet papers' code does: to a multiple of `divisor`, never below 90 %."""
    rounded = max(min_value or divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


@dataclass
class Tape:
    """Writes operators for a map of `channels` x `px` x `px`; padding is "same" unless told."""

    channels: int
    px: int
    records: list[OperatorRecord] = field(default_factory=list)

    def _size(self, kernel: int, stride: int, padding: str | int) -> int:
        if padding == "same":
            return -(-self.px // stride)
        if padding == "valid":
            return (self.px - kernel) // stride + 1
        return (self.px + 2 * int(padding) - kernel) // stride + 1

    @property
    def elements(self) -> int:
        """Elements of the current map."""
        return self.channels * self.px * self.px

    def conv(
        self,
        out: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        padding: str | int = "same",
    ) -> Tape:
        """A convolution with its bias, batch norm and ReLU."""
        kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        inputs, cin = self.elements, self.channels
        px = self._size(max(kh, kw), stride, padding)
        area, depth = kh * kw, cin // groups
        if groups == 1:
            kind = "pointwise" if area == 1 else "full"
        else:
            kind = "depthwise" if groups == cin and out % cin == 0 else "grouped"
        self.records.append(
            OperatorRecord(
                "conv",
                kind,
                part="depthwise" if kind == "depthwise" else "convolution",
                macs=out * depth * area * px * px,
                weights=out * depth * area + out,
                inputs=inputs,
                outputs=out * px * px,
                kernel=area,
                stride=stride,
                pixels=px * px,
                channels_in=depth,
                channels_out=out,
            )
        )
        self.channels, self.px = out, px
        return self

    def depthwise(self, kernel: int = 3, stride: int = 1, padding: str | int = "same") -> Tape:
        """One filter a channel."""
        return self.conv(self.channels, kernel, stride, groups=self.channels, padding=padding)

    def fc(self, out: int) -> Tape:
        """A linear layer over the flattened map."""
        n = self.elements
        self.records.append(
            OperatorRecord(
                "fc",
                "fc",
                part="classifier",
                macs=n * out,
                weights=n * out + out,
                inputs=n,
                outputs=out,
                channels_in=n,
                channels_out=out,
            )
        )
        self.channels, self.px = out, 1
        return self

    def elementwise(self, operands: int = 1) -> Tape:
        """An activation that isn't fused (operands=1), an addition or a product (2), on the current map."""
        self.records.append(
            OperatorRecord(
                "elementwise",
                "elementwise",
                inputs=operands * self.elements,
                outputs=self.elements,
                pixels=self.px**2,
                channels_out=self.channels,
            )
        )
        return self

    def pool(self, kernel: int, stride: int, padding: str | int = "same") -> Tape:
        """Maximum or average pooling."""
        inputs = self.elements
        self.px = self._size(kernel, stride, padding)
        self.records.append(
            OperatorRecord(
                "pool",
                "pool",
                inputs=inputs,
                outputs=self.elements,
                kernel=kernel**2,
                stride=stride,
                pixels=self.px**2,
                channels_out=self.channels,
            )
        )
        return self

    def local_response_norm(self) -> Tape:
        """Normalisation over neighbouring channels: one power function an element."""
        self.records.append(
            OperatorRecord(
                "lrn",
                "other",
                inputs=self.elements,
                outputs=self.elements,
                pixels=self.px**2,
                channels_out=self.channels,
            )
        )
        return self

    def global_pool(self) -> Tape:
        """The mean over the map."""
        return self.pool(self.px, self.px, "valid")

    def squeeze_excite(self, hidden: int) -> Tape:
        """Mean, two 1x1 convolutions, a gate, a product."""
        c, px = self.channels, self.px
        self.global_pool().conv(hidden).conv(c).elementwise()
        self.px = px
        return self.elementwise()

    def movement(self, elements: int | None = None) -> Tape:
        """A copy: concatenation, transposition, a channel shuffle."""
        n = self.elements if elements is None else elements
        self.records.append(
            OperatorRecord("movement", "movement", inputs=n, outputs=n, pixels=self.px**2, channels_out=self.channels)
        )
        return self

    def branches(self, *paths: list[tuple[object, ...]]) -> Tape:
        """Run each path from the current map and concatenate; a step is (method name, *arguments)."""
        channels, px = self.channels, self.px
        out, out_px = 0, px
        for path in paths:
            self.channels, self.px = channels, px
            for name, *args in path:
                getattr(self, str(name))(*args)
            out, out_px = out + self.channels, self.px
        self.channels, self.px = out, out_px
        return self.movement()

    def matmul(self, rows: int, inner: int, columns: int, batch: int = 1) -> Tape:
        """A product of two computed matrices."""
        self.records.append(
            OperatorRecord(
                "matmul",
                "matmul",
                macs=batch * rows * inner * columns,
                inputs=batch * inner * (rows + columns),
                outputs=batch * rows * columns,
                pixels=rows,
                channels_in=inner,
                channels_out=columns,
            )
        )
        return self
