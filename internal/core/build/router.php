<?php
// Every request goes to the front controller, which sees itself where nginx
// would have shown it.
$front = getenv('SUNYA_FRONT_CONTROLLER');
$_SERVER['SCRIPT_FILENAME'] = $front;
$_SERVER['SCRIPT_NAME'] = '/' . basename($front);
$_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'];
$_SERVER['DOCUMENT_ROOT'] = dirname($front);
unset($_SERVER['PATH_INFO'], $front);
chdir($_SERVER['DOCUMENT_ROOT']);
require $_SERVER['SCRIPT_FILENAME'];
