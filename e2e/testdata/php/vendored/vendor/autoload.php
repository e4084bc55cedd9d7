<?php

spl_autoload_register(function (string $class): void {
    if ($class === 'Example\Greeting') {
        require __DIR__ . '/example/Greeting.php';
    }
});
