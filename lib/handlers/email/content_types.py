"""The content type of a file by the suffix of its name, and the suffix by the type: bill.pdf <-> application/pdf.

Used by attachment.py. Pure. WHY NOT mimetypes: its answers depend on files of the host and on Python's version, and a
mail must be the same wherever a worker runs.
"""

_TYPES = {
    "application/epub+zip": "epub",
    "application/gzip": "gz tgz",
    "application/json": "json",
    "application/msword": "doc dot",
    "application/pdf": "pdf",
    "application/pgp-encrypted": "pgp gpg",
    "application/pgp-keys": "asc",
    "application/pgp-signature": "sig",
    "application/pkcs7-mime": "p7m",
    "application/pkcs7-signature": "p7s",
    "application/postscript": "ps ai eps",
    "application/rtf": "rtf",
    "application/vnd.apple.pkpass": "pkpass",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-outlook": "msg",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/x-7z-compressed": "7z",
    "application/x-bzip2": "bz2",
    "application/x-pkcs12": "p12 pfx",
    "application/x-sqlite3": "sqlite",
    "application/x-tar": "tar",
    "application/x-xz": "xz",
    "application/xml": "xml xsd",
    "application/yaml": "yaml yml",
    "application/zip": "zip",
    "application/zstd": "zst",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg jpeg jpe",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "message/rfc822": "eml",
    "text/calendar": "ics",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm",
    "text/javascript": "js mjs",
    "text/markdown": "md markdown",
    "text/plain": "txt text log conf ini sql",
    "text/tab-separated-values": "tsv",
    "text/vcard": "vcf",
    "video/mp4": "mp4 m4v",
    "video/mpeg": "mpeg mpg",
    "video/quicktime": "mov",
    "video/webm": "webm",
}
UNKNOWN = "application/octet-stream"
_BY_SUFFIX = {suffix: content_type for content_type, suffixes in _TYPES.items() for suffix in suffixes.split()}


def content_type_of(filename: str) -> str:
    """The type of a file with this name, by its suffix in any capitals; UNKNOWN for no suffix or an unknown one."""
    return _BY_SUFFIX.get(filename.rpartition(".")[2].lower(), UNKNOWN) if "." in filename else UNKNOWN


def suffix_of(content_type: str) -> str:
    """The usual suffix of a type, as ".pdf"; ".bin" for an unknown type."""
    return "." + _TYPES.get(content_type.lower(), "bin").split()[0]
