<?php

require __DIR__ . '/../vendor/autoload.php';

echo new Example\Greeting('Hello World!');
