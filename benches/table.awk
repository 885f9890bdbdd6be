# Reads "ROW SERVER rate p50 p99" lines, one for each burst, and prints the table of README.md.
# A ratio is the median over the rounds of the ratios within each round.

function median(values, count,    i, j, kept) {
    for (i = 2; i <= count; i++) {
        kept = values[i]
        for (j = i - 1; j > 0 && values[j] > kept; j--) values[j + 1] = values[j]
        values[j + 1] = kept
    }
    return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
}

function middle(row, server, column,    i, values) {
    for (i = 1; i <= seen[row, server]; i++) values[i] = data[row, server, i, column]
    return median(values, seen[row, server])
}

# NUMBER | WHAT | value | ratio | floor | target | verdict
function put(number, what, value, ratio, floor, target, most,    good, great) {
    good = most ? ratio <= floor : ratio >= floor
    great = most ? ratio <= target : ratio >= target
    printf "| %s | %s | %s | %.2f | %s | %s | %s |\n", number, what, value, ratio, floor, target,
        great ? "target" : good ? "floor" : "BELOW FLOOR"
}

# `column` of ghswarm over that of `peer`.
function compare(number, what, row, peer, column, floor, target,    i, values, most, value) {
    if (!seen[row, "swarm"] || !seen[row, peer]) return
    for (i = 1; i <= seen[row, "swarm"]; i++)
        values[i] = data[row, "swarm", i, column] / data[row, peer, i, column]
    most = column != 1
    value = column == 1 ? sprintf("%.1fk/s", middle(row, "swarm", 1) / 1000) \
        : sprintf("%.1f us", middle(row, "swarm", column))
    put(number, what, value, median(values, seen[row, "swarm"]), floor, target, most)
}

function miss(number, row, floor, target,    i, values) {
    if (!seen[row, "swarm"]) return
    for (i = 1; i <= seen[row, "swarm"]; i++)
        values[i] = (data[row, "swarm", i, 2] - data[row, "static", i, 2]) \
            / (data[row, "pass", i, 2] - data[row, "static", i, 2])
    put(number, "miss: time added to the origin's, " substr(row, 5) "K, to nginx", \
        sprintf("+%.1f us", middle(row, "swarm", 2) - middle(row, "static", 2)), \
        median(values, seen[row, "swarm"]), floor, target, 1)
}

{
    i = ++seen[$1, $2]
    for (column = 1; column <= 3; column++) data[$1, $2, i, column] = $(column + 2)
}

END {
    print "| row | what | ghswarm | ratio | floor | target | verdict |"
    print "|---|---|---|---|---|---|---|"
    compare(1, "4K, TCP, same processor, to nginx cache", "tcp4", "cache", 1, 1.45, 1.70)
    compare(2, "its p50, to nginx static", "tcp4", "static", 2, 0.90, 0.77)
    compare(3, "to the limit of the loopback", "tcp4", "hello", 1, 0.75, 0.88)
    compare(4, "4K, Unix, same processor, to nginx cache", "unix4", "cache", 1, 1.50, 1.70)
    compare(5, "4K, TCP, 32 connections, to nginx cache", "tcp4x32", "cache", 1, 2.1, 2.7)
    compare(6, "4K, Unix, 32 connections, to nginx cache", "unix4x32", "cache", 1, 2.1, 3.4)
    compare(7, "4K, TCP, 32 connections, to nginx static", "tcp4x32", "static", 1, 1.3, 1.7)
    compare("8a", "54K, TCP, 32 connections, to nginx cache", "tcp54x32", "cache", 1, 1.5, 2.0)
    compare("8b", "54K, Unix, 32 connections, to nginx cache", "unix54x32", "cache", 1, 1.05, 2.2)
    compare(9, "connection per request, Unix, to nginx cache", "close4", "cache", 1, 1.15, 1.25)
    compare(10, "304, TCP, 32 connections, to nginx cache", "cond4x32", "cache", 1, 1.8, 2.5)
    compare(11, "4K, TCP, 32 connections, to varnish", "tcp4x32", "varnish", 1, 3.9, 5)
    n = seen["tcp4", "swarm"]
    for (i = 1; i <= n; i++) tails[i] = data["tcp4", "swarm", i, 3] / data["tcp4", "swarm", i, 2]
    if (n) put(12, "p99 to p50, 4K, TCP, same processor", \
        sprintf("%.1f us", middle("tcp4", "swarm", 3)), median(tails, n), 1.3, 1.15, 1)
    miss("13a", "miss4", 1.5, 1.0)
    miss("13b", "miss54", 1.5, 1.0)
    if (seen["spawn", "gh"]) {
        for (i = 1; i <= seen["spawn", "gh"]; i++)
            faster[i] = data["spawn", "gh", i, 2] / data["spawn", "swarm", i, 2]
        put("16a", "`ghswarm api`, times faster than `gh api`", \
            sprintf("%.2f ms", middle("spawn", "swarm", 2) / 1000), \
            median(faster, seen["spawn", "gh"]), 25, 35, 0)
    }
    compare("16b", "`ghswarm api`, to /bin/true", "spawn", "true", 2, 1.5, 1.25)
    if (seen["start", "swarm"])
        put("start", "`ghswarm start` until ready, ms", "", middle("start", "swarm", 2) / 1000, 50, 50, 1)
}
