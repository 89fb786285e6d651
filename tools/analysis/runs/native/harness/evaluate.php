<?php
// In the global namespace, so that calls mean what the program means by them.
function goals_evaluate_in_the_open(string $code)
{
    return eval($code);
}
