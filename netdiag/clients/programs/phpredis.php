<?php
/* phpredis as the client under test. Keeps the contract of netdiag.clients: the task as JSON in
 * NETDIAG_CLIENT, what happens as one JSON object a line on the descriptor NETDIAG_EVENTS.
 * What is not set is left to phpredis and php.ini. */

declare(strict_types=1);

$task = json_decode((string) getenv('NETDIAG_CLIENT'), true, 64, JSON_THROW_ON_ERROR);
$settings = $task['settings'];
$workload = $task['workload'];
$events = fopen('php://fd/' . getenv('NETDIAG_EVENTS'), 'w');
stream_set_write_buffer($events, 0);
mt_srand($task['seed']); // phpredis' backoff draws from it

function say(string $what, string $outcome = 'info', array $data = []): void
{
    global $events;
    $row = ['t' => hrtime(true), 'what' => $what, 'outcome' => $outcome, 'data' => (object) $data];
    fwrite($events, json_encode($row, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}

function describe(Throwable $error): array
{
    return ['type' => get_class($error), 'errno' => null, 'message' => $error->getMessage()];
}

/* An error that the server answered: phpredis throws none, it returns false and keeps the text. Who
 * does not ask for that takes it for an empty queue and calls again at once, for ever. */
class LastError extends RedisException
{
}

function ask(Redis $redis, callable $command): mixed
{
    $redis->clearLastError(); // a dial that failed leaves its own there
    $reply = $command();
    if ($reply === false && $redis->getLastError() !== null) {
        throw new LastError($redis->getLastError());
    }
    return $reply;
}

/* The message's name as the contract has it, whatever its bytes are. */
function name(string $message): string
{
    return preg_replace_callback('/[^\x20-\x7e]/', fn ($m) => sprintf('\x%02x', ord($m[0])), $message);
}

/* A new connection with the options that the scenario sets. phpredis says nothing of its own dials
 * (a broken object that dials again by itself shows on the wire alone), so these are the script's. */
function dial(array $task, array $settings): Redis
{
    $redis = new Redis();
    say('connect', 'start');
    $timeout = (float) ($settings['connect_timeout'] ?? 0.0);
    $connect = ($settings['pconnect'] ?? false) ? 'pconnect' : 'connect';
    try {
        $done = $redis->$connect($task['host'], $task['port'], $timeout);
    } catch (RedisException $error) {
        say('connect', 'fail', describe($error));
        throw $error;
    }
    $kept = [];
    if (array_key_exists('read_timeout', $settings)) {
        $redis->setOption(Redis::OPT_READ_TIMEOUT, $settings['read_timeout'] ?? -1);
        $kept['OPT_READ_TIMEOUT'] = $redis->getOption(Redis::OPT_READ_TIMEOUT);
    }
    if (array_key_exists('keepalive', $settings)) {
        $redis->setOption(Redis::OPT_TCP_KEEPALIVE, $settings['keepalive']);
        $kept['OPT_TCP_KEEPALIVE'] = $redis->getOption(Redis::OPT_TCP_KEEPALIVE);
    }
    say('connect', $done ? 'ok' : 'fail', ['kept' => (object) $kept]);
    return $redis;
}

/* One blocking call: the messages that came as [what acknowledges it, its name]. Redis::brPop and
 * its kin are used, not rawCommand, because their way to read is what is under test. */
function take(Redis $redis, array $w): array
{
    $key = $w['key'];
    $block = fmod($w['block'], 1.0) == 0.0 ? (int) $w['block'] : $w['block']; // 5.3 takes whole numbers
    switch ($w['pattern']) {
        case 'brpop':
        case 'blpop':
            $method = $w['pattern'] === 'brpop' ? 'brPop' : 'blPop';
            $reply = ask($redis, fn () => $redis->$method([$key], $block));
            return $reply ? [[null, $reply[1]]] : [];
        case 'bzpopmin':
            $reply = ask($redis, fn () => $redis->bzPopMin([$key], $block));
            return $reply ? [[null, $reply[1]]] : [];
        case 'blmove':
            $words = ['BLMOVE', $key, $w['processing'], 'RIGHT', 'LEFT', $block];
            $reply = ask($redis, fn () => $redis->rawCommand(...$words));
            return is_string($reply) ? [[$reply, $reply]] : [];
        default:
            $ms = (int) round($w['block'] * 1000);
            $words = [$w['group'], $w['consumer'], [$key => '>'], 1, $ms];
            $reply = ask($redis, fn () => $redis->xReadGroup(...$words));
            return entries($reply, $key);
    }
}

function entries(mixed $reply, string $key): array
{
    $taken = [];
    foreach (is_array($reply) ? ($reply[$key] ?? []) : [] as $entry => $fields) {
        $taken[] = [(string) $entry, (string) reset($fields)];
    }
    return $taken;
}

/* What idle consumers left pending; phpredis 5.3 has no xAutoClaim. */
function claim(Redis $redis, array $w): array
{
    $idle = (int) round($w['reaper']['idle'] * 1000);
    $words = ['XAUTOCLAIM', $w['key'], $w['group'], $w['consumer'], $idle, '0-0', 'COUNT', 10];
    $reply = ask($redis, fn () => $redis->rawCommand(...$words));
    $taken = [];
    foreach ($reply[1] ?? [] as $entry) {
        if (is_array($entry[1] ?? null)) {
            $taken[] = [$entry[0], $entry[1][1]];
        }
    }
    return $taken;
}

function done(Redis $redis, array $w, array $taken): void
{
    foreach ($taken as [$handle, $message]) {
        say('got', 'ok', ['id' => name($message)]);
        usleep((int) round($w['work'] * 1e6));
        say('processed', 'ok', ['id' => name($message)]);
        if ($handle !== null) {
            ask($redis, fn () => $w['pattern'] === 'blmove'
                ? $redis->lRem($w['processing'], $handle, 1)
                : $redis->xAck($w['key'], $w['group'], [$handle]));
            say('acknowledged', 'ok', ['id' => name($message)]);
        }
    }
}

function once(Redis $redis, array $w): void
{
    if (isset($w['reaper']) && $w['pattern'] === 'xreadgroup') {
        done($redis, $w, claim($redis, $w));
    }
    say('call', 'start', ['command' => strtoupper($w['pattern'])]);
    $taken = take($redis, $w);
    if ($taken) {
        done($redis, $w, $taken);
        return;
    }
    say('return', 'ok');
    if ($redis->getLastError() !== null) { // no exception: a loop would spin, here it breathes
        $redis->clearLastError();
        usleep(100_000);
    }
}

/* phpredis keeps the loop of a subscription to itself; only an error ends it. */
function listen(Redis $redis, array $w): void
{
    say('call', 'start', ['command' => 'SUBSCRIBE']);
    $redis->subscribe([$w['key']], function (Redis $redis, string $channel, string $message) use ($w): void {
        done($redis, $w, [[null, $message]]);
    });
}

/* One request as PHP makes it: an object of its own, which goes away at the request's end. */
function request(array $task, array $settings, array $w): void
{
    global $asked;
    static $number = 0;
    $id = $w['names'] . ++$number;
    $asked = $id;
    $redis = dial($task, $settings);
    say('call', 'start', ['command' => 'RPUSH', 'id' => $id]);
    ask($redis, fn () => $redis->rPush($w['key'], $id));
    $asked = null;
    say('got', 'ok', ['id' => $id]);
    unset($redis);
    usleep((int) round($w['every'] * 1e6));
}

/* bare: the error ends it, or (after_error: a pause) the same object is called again.
 * loop: the error is caught, and it dials until it succeeds. */
$bare = $task['mode'] === 'bare';
$pause = is_array($workload['after_error']) ? $workload['after_error']['pause'] : null;
$redis = $asked = null;
while (true) {
    try {
        if ($workload['pattern'] === 'request') {
            request($task, $settings, $workload);
            continue;
        }
        $redis ??= dial($task, $settings);
        $workload['pattern'] === 'subscribe' ? listen($redis, $workload) : once($redis, $workload);
    } catch (RedisException $error) {
        say('error', 'fail', describe($error) + ($asked === null ? [] : ['id' => $asked]));
        $asked = null;
        if ($bare && $pause === null) {
            exit(1);
        }
        usleep((int) round(($pause ?? 0.5) * 1e6));
        if (!$bare && !($error instanceof LastError)) {
            $redis = null;
        }
        say('reconnect');
    }
}
