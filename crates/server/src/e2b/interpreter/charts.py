"""What a figure of matplotlib shows, as data: charts as E2B's SDKs read them. matplotlib is known by what its figures have in them alone.

Source of names and types: charts.py of e2b-code-interpreter and charts.d.ts of @e2b/code-interpreter.
"""

import math
import re

MIME = "e2b/chart"
# All of one figure; what has more is shown as a picture alone.
POINTS = 100_000
UNIT = re.compile(r"[(\[]([^()\[\]]+)[)\]]\s*$")


def of(figure):
    """`None` where there is nothing to tell, or it cannot be told."""
    try:
        shown = [axes for axes in figure.axes if axes.has_data() and not hasattr(axes, "_colorbar")]
        if sum(points(axes) for axes in shown) > POINTS:
            return None
        all_of = [chart(axes) for axes in shown]
        title = figure._suptitle.get_text() if figure._suptitle else None
    except Exception:
        return None
    if len(all_of) == 1:
        return {**all_of[0], "title": all_of[0]["title"] or title}
    return {"type": "superchart", "title": title, "elements": all_of} if all_of else None


def points(axes):
    lines = sum(len(line.get_xdata(orig=False)) for line in axes.lines)
    return lines + sum(len(one.get_offsets()) for one in axes.collections) + len(axes.patches)


def chart(axes):
    title = axes.get_title() or None
    wedges = [patch for patch in axes.patches if type(patch).__name__ == "Wedge"]
    bars = [one for one in axes.containers if type(one).__name__ == "BarContainer"]
    dots = [one for one in axes.collections if type(one).__name__ == "PathCollection"]
    if wedges:
        return {"type": "pie", "title": title, "elements": [slice_of(wedge) for wedge in wedges]}
    if bars:
        elements = [bar for number, one in enumerate(bars) for bar in bars_of(axes, one, number)]
        return {"type": "bar", "title": title, "elements": elements, **labels(axes)}
    if dots:
        elements = [
            {"label": named(one, f"Dataset {number}"), "points": pairs(axes, one.get_offsets())} for number, one in enumerate(dots)
        ]
        return {"type": "scatter", "title": title, "elements": elements, **labels(axes), **scales(axes)}
    boxes = boxes_of(axes)
    if boxes:
        return {"type": "box_and_whisker", "title": title, "elements": boxes, **labels(axes)}
    if axes.lines:
        elements = [
            {"label": named(line, f"Line {number}"), "points": pairs(axes, line.get_xydata())} for number, line in enumerate(axes.lines)
        ]
        return {"type": "line", "title": title, "elements": elements, **labels(axes), **scales(axes)}
    return {"type": "unknown", "title": title, "elements": []}


def named(artist, otherwise):
    """Those that nobody has named begin with `_`."""
    label = str(artist.get_label() or "")
    return otherwise if label.startswith("_") or not label else label


def labels(axes):
    both = {}
    for name, label in (("x", axes.get_xlabel()), ("y", axes.get_ylabel())):
        unit = UNIT.search(label)
        both[f"{name}_label"], both[f"{name}_unit"] = label or None, unit.group(1) if unit else None
    return both


def scales(axes):
    both = {}
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        ticks = [float(tick) for tick in axis.get_ticklocs()]
        both[f"{name}_scale"] = scale(axis)
        both[f"{name}_ticks"] = [value(axis, tick) for tick in ticks]
        both[f"{name}_tick_labels"] = [str(label) for label in axis.get_major_formatter().format_ticks(ticks)]
    return both


def scale(axis):
    converter = axis.get_converter() if hasattr(axis, "get_converter") else axis.converter
    kind = type(converter).__name__.lower()
    if "date" in kind:
        return "datetime"
    return "categorical" if "category" in kind else axis.get_scale()


def value(axis, number):
    """A number as the axis means it: a moment, or the name of a category."""
    number = float(number)
    kind = scale(axis)
    if kind == "datetime" and math.isfinite(number):
        from matplotlib.dates import num2date

        return num2date(number).isoformat()
    if kind == "categorical":
        return next((str(name) for name, at in axis.units._mapping.items() if at == number), number)
    return number


def pairs(axes, all_of):
    return [[value(axes.xaxis, x), value(axes.yaxis, y)] for x, y in all_of]


def slice_of(wedge):
    # They are made with 32 bits.
    angle = round(float(wedge.theta2 - wedge.theta1), 3)
    return {"label": named(wedge, ""), "angle": angle, "radius": float(wedge.r)}


def bars_of(axes, container, number):
    group = named(container, f"Group {number}")
    stands = getattr(container, "orientation", None) != "horizontal"
    axis = axes.xaxis if stands else axes.yaxis
    for bar in container.patches:
        at, width = (bar.get_x(), bar.get_width()) if stands else (bar.get_y(), bar.get_height())
        height = bar.get_height() if stands else bar.get_width()
        yield {"label": place(axis, float(at + width / 2), abs(float(width))), "group": group, "value": float(height)}


def place(axis, at, width):
    """What is written at the axis there, as far as somebody has said what to write; else the number."""
    if scale(axis) == "categorical" or type(axis.get_major_locator()).__name__ == "FixedLocator":
        ticks = axis.get_ticklocs()
        texts = axis.get_major_formatter().format_ticks(ticks)
        near = min(zip(ticks, texts), key=lambda tick: abs(tick[0] - at), default=None)
        if near and abs(near[0] - at) <= width and near[1]:
            return str(near[1])
    known = value(axis, at)
    return known if isinstance(known, str) else f"{known:g}"


def boxes_of(axes):
    """Boxes, and what lies at the middle of each: two whiskers, a median between the sides, and dots further out."""
    outlines = [line.get_xydata() for line in axes.lines if len(line.get_xydata()) >= 5 and is_closed(line.get_xydata())]
    outlines += [patch.get_path().vertices[:-1] for patch in axes.patches if type(patch).__name__ == "PathPatch"]
    lines = [(line.get_xydata().tolist(), line.get_linestyle() == "None") for line in axes.lines]
    found = {}
    for outline in outlines:
        for lies in (False, True):
            turned = [point[::-1] if lies else point for point in outline.tolist()]
            rest = [([point[::-1] if lies else point for point in line], are_dots) for line, are_dots in lines]
            box = box_of(turned, rest)
            if box is not None:
                middle = box.pop("middle")
                axis = axes.yaxis if lies else axes.xaxis
                # The same may be drawn twice.
                found[(lies, middle)] = {"label": place(axis, middle, 0.5), **box}
                break
    return [found[key] for key in sorted(found)]


def is_closed(outline):
    return len(outline) > 0 and tuple(outline[0]) == tuple(outline[-1])


def box_of(outline, lines):
    left, right = min(x for x, _ in outline), max(x for x, _ in outline)
    low, high = min(y for _, y in outline), max(y for _, y in outline)
    middle = (left + right) / 2
    whiskers, medians, outliers = [], [], []
    for line, are_dots in lines:
        if are_dots and line and all(near(x, middle) for x, _ in line):
            outliers += [float(y) for _, y in line]
        elif len(line) == 2 and not are_dots:
            (x0, y0), (x1, y1) = line
            if near(x0, middle) and near(x1, middle):
                whiskers += [y0, y1]
            elif near(y0, y1) and low <= y0 <= high and near((x0 + x1) / 2, middle):
                medians.append((abs(x1 - x0), y0))
    if not whiskers or not medians:
        return None
    return {
        "middle": middle,
        "min": float(min(whiskers)),
        "first_quartile": float(low),
        # Caps of whiskers without a length are shorter.
        "median": float(max(medians)[1]),
        "third_quartile": float(high),
        "max": float(max(whiskers)),
        "outliers": sorted(outliers),
    }


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
