package functionsv2

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// SourcePath is where the links of generateUploadUrl and generateDownloadUrl
// lead.
const SourcePath = functions.LinkPath

// maxSource is the size of an uploaded archive (Cloud Functions: 100 MB).
const maxSource = 100 << 20

// Objects keeps sources.
type Objects interface {
	Put(ctx context.Context, n objects.NewObject, r io.Reader, size int64) (*objects.Object, error)
	Read(ctx context.Context, bucket, name string, generation int64, c objects.Conditions) (*objects.Object, io.ReadSeekCloser, error)
}

// Sources answers uploads and downloads by whoever has a link, without any other
// credential.
func Sources(links *functions.Links, store Objects, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket, object, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, SourcePath), "/")
		err := links.Check(r.Method, bucket, object, r.URL.Query())
		switch {
		case err != nil:
		case r.Method == http.MethodPut:
			err = upload(r, store, bucket, object)
		default:
			err = download(w, r, store, bucket, object)
		}
		if err != nil {
			fail(w, r, err, log)
		}
	})
}

func fail(w http.ResponseWriter, r *http.Request, err error, log *slog.Logger) {
	code, doc := status.Envelope(status.FromError(err))
	if code >= http.StatusInternalServerError {
		log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(doc) // nobody is left to tell
}

func upload(r *http.Request, store Objects, bucket, object string) error {
	tooLarge := sunya.Errorf(sunya.InvalidArgument, object, "the archive has more than %v", sunya.Bytes(maxSource))
	if r.ContentLength > maxSource {
		return tooLarge
	}
	body := http.MaxBytesReader(nil, r.Body, maxSource)
	_, err := store.Put(r.Context(), objects.NewObject{Bucket: bucket, Name: object, ContentType: "application/zip"}, body, r.ContentLength)
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return tooLarge
	}
	return err
}

func download(w http.ResponseWriter, r *http.Request, store Objects, bucket, object string) error {
	o, body, err := store.Read(r.Context(), bucket, object, 0, objects.Conditions{})
	if err != nil {
		return err
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", o.ContentType)
	h.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = io.Copy(w, body) // nobody is left to tell
	return nil
}
