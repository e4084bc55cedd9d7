package helper

import (
	"strings"
	"testing"
)

func TestBinary(t *testing.T) {
	data, err := Binary()
	if err == nil {
		if !strings.HasPrefix(string(data), "\x7fELF") {
			t.Error("the embedded launcher is not an ELF file")
		}
		return
	}
	if !strings.Contains(err.Error(), "make build") {
		t.Errorf("error = %v", err)
	}
}
