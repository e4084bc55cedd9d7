package media

import "net/http"

// Shared lets pages of any origin see the answers of next, as the JSON API does:
// its own rule, whatever a bucket's are. They still need a token.
func Shared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method != http.MethodOptions {
			h.Set("Access-Control-Expose-Headers", "Content-Range, ETag, Location, Range, X-Goog-Generation, X-Goog-Hash, X-Goog-Metageneration, X-GUploader-UploadID")
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
		h.Set("Access-Control-Max-Age", "3600")
		w.WriteHeader(http.StatusOK)
	})
}
