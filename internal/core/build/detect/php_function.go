package detect

import (
	"cmp"
	"io/fs"
	"regexp"

	"github.com/sunya-cloud/sunya"
)

// frameworkPHP serves one function of a PHP source; phpServer is its front
// controller.
const (
	frameworkPHP = "google/cloud-functions-framework"
	phpServer    = "vendor/" + frameworkPHP + "/router.php"
)

var (
	phpFunctionRE  = regexp.MustCompile(`(?m)(?:^\s*function\s+&?([A-Za-z_][A-Za-z0-9_]*)\s*\(|FunctionsFramework::(?:http|cloudEvent)\(\s*(?:'([^']*)'|"([^"$]*)"))`)
	phpUndecidedRE = regexp.MustCompile(`FunctionsFramework::(?:http|cloudEvent)\(\s*[^'"\s]|(?m)^\s*(?:require|include)(?:_once)?\b|^\s*(?:final\s+)?class\s`)
	phpClassRE     = regexp.MustCompile(`::|\\`)
)

// function sets how a function is served: by its framework, a package that the
// source must name.
func (p *PHPPlan) function(fsys fs.FS, spec sunya.BuildSpec) error {
	file := cmp.Or(spec.Env["GOOGLE_FUNCTION_SOURCE"], "index.php")
	if !fs.ValidPath(file) || !exists(fsys, file) {
		return badSource("the source has no %s: a function in PHP is there, or in the file that the build variable GOOGLE_FUNCTION_SOURCE names", file)
	}
	const how = "run composer require " + frameworkPHP + "; where this server does not reach the package's server or has no composer, deploy the vendor folder with the source (gcloud's rules leave it out: add a .gcloudignore that does not)"
	fields, err := readObject(fsys, "composer.json")
	if err != nil {
		return err
	}
	p.Vendored = p.Vendored || exists(fsys, "vendor/autoload.php")
	switch {
	case p.Vendored && !exists(fsys, phpServer):
		return badSource("the vendor folder does not have %s, which serves the function: %s", frameworkPHP, how)
	case !p.Vendored && texts(fields["require"])[frameworkPHP] == "":
		return badSource("composer.json does not ask for %s, which serves the function: %s", frameworkPHP, how)
	}
	data, err := readManifest(fsys, file)
	if err != nil {
		return badSource("%s cannot be read: %v", file, plain(err))
	}
	p.Source, p.Front = file, phpServer
	unsure := phpUndecidedRE.Match(data) || phpClassRE.MatchString(spec.Function.Target)
	p.Function, err = functionOf(string(data), file, spec.Function, phpFunctionRE, unsure)
	return err
}
