// Command bench measures what a request costs weir, beside nginx, HAProxy and Caddy, on this machine's loopback.
//
// Each proxy runs with one worker, pinned to the first CPU, in front of the same two backends; backends and load run on
// the other CPUs. The figure is the scheduler's run time of all threads of the proxy divided by the requests that were
// answered. It depends far less on how busy the machine is than requests per second do, which the load generator limits
// first. All proxies run inside each round, in reversed order every other round, and a proxy is compared with nginx in
// the same round only; shown is the median of these ratios with the middle half of the rounds.
//
// The files: main.go reads the wishes; run.go is the story of a measurement; case.go lists what is measured; proxy.go
// and conf*.go tell how each proxy is started; load*.go make requests; account.go reads the kernel's accounts; table.go
// prints; profile.go looks inside weir.
package main
