package static

import (
	"path"
	"strings"
)

// types are the media types of the web by file name extension (IANA media
// types; WHATWG for JavaScript). The machine's own list is not asked: the same
// deployment has the same types everywhere.
var types = map[string]string{
	"html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "css": "text/css",
	"js": "text/javascript", "mjs": "text/javascript", "cjs": "text/javascript", "map": "application/json",
	"json": "application/json", "jsonld": "application/ld+json", "webmanifest": "application/manifest+json",
	"geojson": "application/geo+json", "xml": "text/xml", "xsl": "application/xslt+xml", "xslt": "application/xslt+xml",
	"rss": "application/rss+xml", "atom": "application/atom+xml", "wasm": "application/wasm",
	"txt": "text/plain", "text": "text/plain", "log": "text/plain", "md": "text/markdown", "markdown": "text/markdown",
	"csv": "text/csv", "tsv": "text/tab-separated-values", "ics": "text/calendar", "vcf": "text/vcard", "vtt": "text/vtt",
	"yaml": "application/yaml", "yml": "application/yaml", "toml": "application/toml", "sh": "application/x-sh",

	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
	"avif": "image/avif", "svg": "image/svg+xml", "svgz": "image/svg+xml", "ico": "image/vnd.microsoft.icon",
	"bmp": "image/bmp", "tif": "image/tiff", "tiff": "image/tiff", "apng": "image/apng", "jxl": "image/jxl", "heic": "image/heic",

	"mp3": "audio/mpeg", "m4a": "audio/mp4", "aac": "audio/aac", "oga": "audio/ogg", "ogg": "audio/ogg", "opus": "audio/ogg",
	"flac": "audio/flac", "wav": "audio/wav", "weba": "audio/webm", "mid": "audio/midi", "midi": "audio/midi",
	"mp4": "video/mp4", "m4v": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg", "ogv": "video/ogg", "webm": "video/webm",
	"mov": "video/quicktime", "avi": "video/x-msvideo", "mkv": "video/x-matroska", "ts": "video/mp2t", "m3u8": "application/vnd.apple.mpegurl",

	"woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf", "eot": "application/vnd.ms-fontobject",

	"pdf": "application/pdf", "ps": "application/postscript", "eps": "application/postscript", "rtf": "application/rtf",
	"doc": "application/msword", "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"odt":  "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
	"epub": "application/epub+zip", "zip": "application/zip", "gz": "application/gzip", "tgz": "application/gzip",
	"tar": "application/x-tar", "bz2": "application/x-bzip2", "xz": "application/x-xz", "7z": "application/x-7z-compressed",
	"zst": "application/zstd", "rar": "application/vnd.rar", "jar": "application/java-archive", "apk": "application/vnd.android.package-archive",
	"swf": "application/x-shockwave-flash", "glb": "model/gltf-binary", "gltf": "model/gltf+json", "kml": "application/vnd.google-earth.kml+xml",
	"crx": "application/x-chrome-extension", "pem": "application/x-pem-file",
}

// unknownType is for everything else.
const unknownType = "application/octet-stream"

func typeByName(name string) string {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if t, ok := types[ext]; ok {
		return t
	}
	return unknownType
}

// contentType is what a file is served as. A text that is UTF-8 says so: many
// have no other way to, and browsers would guess.
func contentType(name string, utf8 bool) string {
	t := typeByName(name)
	if utf8 && strings.HasPrefix(t, "text/") {
		t += "; charset=utf-8"
	}
	return t
}

// isText reports whether a file of this name compresses well.
func isText(name string) bool {
	t := typeByName(name)
	switch t {
	case "application/json", "application/wasm", "application/yaml", "application/toml", "application/x-sh",
		"application/rtf", "application/postscript", "application/vnd.ms-fontobject", "application/vnd.apple.mpegurl",
		"font/ttf", "font/otf", "image/bmp", "image/vnd.microsoft.icon":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml") && !strings.HasSuffix(name, ".svgz")
}
