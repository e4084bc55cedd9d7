package probe

import "testing"

// FuzzCheckResponse: what a container answers is read without trust.
func FuzzCheckResponse(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{0, 255, 255, 255, 255, 8})
	f.Fuzz(func(t *testing.T, frame []byte) {
		status, err := checkResponse(frame)
		if err != nil && status != 0 {
			t.Errorf("%x: %d beside %v", frame, status, err)
		}
	})
}
