"""All ways to show a value that it knows, by the names that the SDKs have for them."""

import base64
import io

from . import charts

SHOWN = {
    "_repr_html_": "html",
    "_repr_markdown_": "markdown",
    "_repr_svg_": "svg",
    "_repr_png_": "png",
    "_repr_jpeg_": "jpeg",
    "_repr_pdf_": "pdf",
    "_repr_latex_": "latex",
    "_repr_json_": "json",
    "_repr_javascript_": "javascript",
}
BY_MIME = {
    charts.MIME: "chart",
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "text/latex": "latex",
    "application/json": "json",
    "application/javascript": "javascript",
}


def as_text(value):
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else value


def told(value):
    """All ways to show a value that it knows."""
    result = {"text": repr(value)}
    for method, name in SHOWN.items():
        show = getattr(type(value), method, None)
        if show is None:
            continue
        try:
            shown = show(value)
        except Exception:
            continue
        if isinstance(shown, tuple):
            shown = shown[0]
        if shown is not None:
            result[name] = as_text(shown)
    if hasattr(value, "_repr_mimebundle_"):
        try:
            bundle = value._repr_mimebundle_()
            bundle = bundle[0] if isinstance(bundle, tuple) else bundle
            result.update(by_mime(bundle))
        except Exception:
            pass
    return with_more(value, result)


def by_mime(bundle):
    known, extra = {}, {}
    for mime, value in bundle.items():
        if mime in BY_MIME:
            known[BY_MIME[mime]] = as_text(value)
        else:
            extra[mime] = as_text(value)
    if extra:
        known["extra"] = extra
    return known


def with_more(value, result):
    """Tables as data, and figures as pictures, which they are only in notebooks by themselves, and as data."""
    kind = f"{type(value).__module__}.{type(value).__name__}"
    if kind.startswith("pandas.") and type(value).__name__ == "DataFrame":
        result["data"] = {str(name): column for name, column in value.to_dict(orient="list").items()}
    if kind == "matplotlib.figure.Figure":
        if "png" not in result:
            picture = io.BytesIO()
            value.savefig(picture, format="png")
            result["png"] = as_text(picture.getvalue())
        chart = charts.of(value)
        if chart is not None:
            result["chart"] = chart
    return result
