package appyaml_test

import (
	"fmt"

	"github.com/sunya-cloud/sunya/internal/core/appyaml"
)

func ExampleParse() {
	cfg, err := appyaml.Parse("app.yaml", []byte("runtime: python311\nhandlers:\n- {url: /s, static_dir: s}\n"))
	fmt.Println(cfg.Service, cfg.Runtime, err)
	fmt.Println(cfg.Handlers[0].URL, cfg.Handlers[0].StaticFiles)
	_, err = appyaml.Parse("app.yaml", []byte("runtime: python311\nentrypiont: x\n"))
	fmt.Println(err)
	// Output:
	// default python311 <nil>
	// /s/(.*) s/\1
	// app.yaml line 2: unknown key "entrypiont" in app.yaml; did you mean "entrypoint"?
}
