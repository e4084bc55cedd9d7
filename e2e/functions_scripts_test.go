//go:build e2e

package e2e

const rubyFunctions = `require "functions_framework"
require "json"

FunctionsFramework.http "hello" do |request|
  raise "told to" if request.path == "/crash"
  body = request.body.read
  name = request.params["name"] || (body.empty? ? nil : JSON.parse(body)["name"]) || "World"
  "Hello #{name}! #{request.path}"
end

FunctionsFramework.cloud_event "on_event" do |event|
  puts "event #{event.id} #{event.data["name"] || event.data["message"]["data"]}"
end
`

const phpFunctions = `<?php
use CloudEvents\V1\CloudEventInterface;
use Google\CloudFunctions\FunctionsFramework;
use Psr\Http\Message\ServerRequestInterface;

FunctionsFramework::http('hello', 'greet');
FunctionsFramework::cloudEvent('onEvent', 'printEvent');

function greet(ServerRequestInterface $request): string
{
    if ($request->getUri()->getPath() === '/crash') {
        throw new RuntimeException('told to');
    }
    $body = json_decode((string) $request->getBody(), true) ?: [];
    $name = $request->getQueryParams()['name'] ?? $body['name'] ?? 'World';
    return "Hello $name! " . $request->getUri()->getPath();
}

function printEvent(CloudEventInterface $event): void
{
    $data = $event->getData();
    fwrite(fopen('php://stderr', 'w'), 'event ' . $event->getId() . ' ' . ($data['name'] ?? $data['message']['data']) . PHP_EOL);
}
`

// scriptFunctions need the functions framework from where the language's packages
// come from.
var scriptFunctions = []languageFunction{
	{name: "ruby-gems", runtime: "ruby31", needs: "bundle", fetch: "bundle lock", fetched: "Gemfile.lock", http: "hello", event: "on_event",
		files:  map[string]string{"app.rb": rubyFunctions, "Gemfile": "source \"https://rubygems.org\"\ngem \"functions_framework\", \"~> 1.5\"\n"},
		broken: map[string]string{"app.rb": "FunctionsFramework.http \"hello\" do |request\n"},
		found:  "function nope is not in app.rb; found: hello, on_event",
		says:   "app.rb:"},
	{name: "php-composer", runtime: "php82", needs: "composer", fetch: "composer update --no-install --no-interaction", fetched: "composer.lock", http: "hello", event: "onEvent",
		files:  map[string]string{"index.php": phpFunctions, "composer.json": `{"require": {"google/cloud-functions-framework": "^1.3", "cloudevents/sdk-php": "^1.0"}}`},
		broken: map[string]string{"index.php": "<?php\nfunction onEvent( {\n"},
		found:  "function nope is not in index.php; found: hello, onEvent",
		says:   "index.php:2"},
}
