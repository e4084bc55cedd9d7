//go:build e2e

package e2e

var phpApps = []languageApp{
	{name: "php", dir: "testdata/php/contract", needs: "php", main: "public/index.php", contract: true, silent: true, reused: "No dependencies to install"},
	{name: "php-smallest", dir: "../examples/hello-php", needs: "php", main: "index.php"},
	{name: "php-vendored", dir: "testdata/php/vendored", needs: "php", main: "web/front.php", reused: "vendor folder in the source"},
}
