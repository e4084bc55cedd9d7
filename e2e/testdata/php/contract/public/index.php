<?php
// Answers what the contract of every language asks: see e2e/languages_test.go.

function attempt(string $path): string
{
    return @file_put_contents($path, 'x') === false ? 'refused: ' . error_get_last()['message'] : 'written';
}

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/env':
        echo json_encode(getenv());
        break;
    case '/disk':
        echo json_encode(['app' => attempt('x'), 'tmp' => attempt('/tmp/x')]);
        break;
    case '/script':
        echo $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['PHP_SELF'], ' ', $_SERVER['DOCUMENT_ROOT'];
        break;
    default:
        error_log('one line of the error log');
        echo 'Hello World!';
}
