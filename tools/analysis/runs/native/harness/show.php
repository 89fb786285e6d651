<?php
// Loads the program, makes the calls, and writes values as JSON, one answer a line, on stderr.
namespace GoalsHarness;

function send(array $answer): void
{
    $line = json_encode($answer, JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION, 200);
    fwrite(\STDERR, "\nGOALS_MARK" . ($line === false ? '["unreadable"]' : $line) . "\n");
}

function tagged($value, int $depth = 0)
{
    if ($depth > 50) {
        return null;
    }
    if ($value === null || is_bool($value) || is_string($value)) {
        return is_string($value) ? substr($value, 0, 60000) : $value;
    }
    if (is_int($value)) {
        return $value;
    }
    if (is_float($value)) {
        return ['f' => is_nan($value) ? 'nan' : (is_infinite($value) ? ($value > 0 ? 'inf' : '-inf') : var_export($value, true))];
    }
    if (is_array($value)) {
        $value = array_slice($value, 0, 20000, true);
        if (array_is_list($value)) {
            return array_map(fn ($one) => tagged($one, $depth + 1), $value);
        }
        $pairs = [];
        foreach ($value as $key => $one) {
            $pairs[] = [$key, tagged($one, $depth + 1)];
        }
        return ['m' => $pairs];
    }
    if ($value instanceof \Traversable) {
        $items = [];
        foreach ($value as $one) {
            $items[] = tagged($one, $depth + 1);
            if (count($items) > 20000) {
                break;
            }
        }
        return $items;
    }
    return ['u' => [get_debug_type($value), '?']];
}

function raised(\Throwable $error): array
{
    $names = [];
    for ($kind = get_class($error); $kind !== false; $kind = get_parent_class($kind)) {
        $names[] = substr((string) strrchr('\\' . $kind, '\\'), 1);
    }
    $own = str_ends_with($error->getFile(), 'submission.php');
    return ['raised', $names, $error->getMessage(), $own ? $error->getLine() : null];
}

function run(int $start): void
{
    $calls = json_decode(file_get_contents('/src/calls.json'), true);
    ob_start(fn () => '', 4096);
    try {
        require '/src/submission.php';
    } catch (\Throwable $error) {
        send(['ready']);
        foreach (array_slice($calls, $start) as $_) {
            send(raised($error));
        }
        exit(0);
    }
    send(['ready']);
    foreach (array_slice($calls, $start) as [$before, $expression]) {
        try {
            $value = \goals_evaluate_in_the_open("$before return ($expression);");
            send(['value', tagged($value)]);
        } catch (\ParseError $error) {
            send(['unusable']);
        } catch (\Throwable $error) {
            send(raised($error));
        }
    }
}

require_once "/src/goals_evaluate.php";
run((int) $argv[1]);
exit(0);
