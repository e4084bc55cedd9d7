package storagev1

import (
	"encoding/json"
	"net/http"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// fail is the one place where an error becomes an answer.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := media.Classify(err, r.Method == http.MethodGet || r.Method == http.MethodHead)
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented {
		h.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
	}
	if f.Status == http.StatusNotModified {
		w.WriteHeader(f.Status)
		return
	}
	f.WriteJSON(w, r)
}

// reply answers with a document.
func reply(w http.ResponseWriter, r *http.Request, doc any) error {
	if mask := r.URL.Query().Get("fields"); mask != "" {
		m, err := parseMask(mask)
		if err != nil {
			return err
		}
		if doc, err = m.applied(doc); err != nil {
			return err
		}
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return sunya.Errorf(sunya.Internal, "", "encode answer: %v", err)
	}
	media.Write(w, r, http.StatusOK, "application/json; charset=UTF-8", body)
	return nil
}
