package storagexml

import (
	"fmt"
	"net/http"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

type composeRequest struct {
	Component []struct {
		Name              string
		Generation        string
		IfGenerationMatch string
	}
}

// compose answers PUT ?compose: an object of others of its bucket, one after the
// other.
func (h *handler) compose(w http.ResponseWriter, r *http.Request, t target) error {
	var asked composeRequest
	if err := decode(r, &asked); err != nil {
		return err
	}
	if len(asked.Component) == 0 {
		return malformed("a ComposeRequest names its Component elements")
	}
	n, err := h.asked(r, t)
	if err != nil {
		return err
	}
	n.Expect = objects.Checksums{} // of the request's own body
	parts := make([]objects.ComposePart, len(asked.Component))
	for i, c := range asked.Component {
		parts[i].Name = c.Name
		gen, err := number(fmt.Sprintf("Component[%d].Generation", i), c.Generation)
		if err != nil {
			return err
		}
		if gen != nil {
			parts[i].Generation = *gen
		}
		if parts[i].Conditions.GenerationMatch, err = number(fmt.Sprintf("Component[%d].IfGenerationMatch", i), c.IfGenerationMatch); err != nil {
			return err
		}
	}
	o, err := h.Objects.Compose(r.Context(), n, parts, false)
	if err != nil {
		return err
	}
	objectHeaders(w.Header(), o)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}
