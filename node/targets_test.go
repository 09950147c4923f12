package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

// fakeNames is what name servers say.
type fakeNames map[string]string

func (f fakeNames) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	var list []netip.Addr
	for _, text := range strings.Fields(f[host]) {
		list = append(list, netip.MustParseAddr(text))
	}
	if list == nil {
		return nil, errors.New("no such host")
	}
	return list, nil
}

func (f fakeNames) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if service+proto != "" || f[name] == "" {
		return "", nil, errors.New("no such service")
	}
	var list []*net.SRV
	for _, text := range strings.Fields(f[name]) {
		r := &net.SRV{}
		if _, err := fmt.Sscanf(text, "%d:%s", &r.Port, &r.Target); err != nil {
			return "", nil, err
		}
		list = append(list, r)
	}
	return name, list, nil
}

// TestJoinTargets: addresses, names and services lead to addresses, and a name that
// says nothing takes none of the others away.
func TestJoinTargets(t *testing.T) {
	t.Parallel()
	names := fakeNames{"lb.example.com": "10.0.0.1 10.0.0.2 ::ffff:10.0.0.2", "some.example.com": "10.0.2.9 10.0.3.9", "_weir._tcp.example.com": "9000:lb.example.com. 7946:gone.example.com."}
	self := netip.MustParseAddrPort("10.0.0.1:7946")
	for _, c := range []struct {
		join         config.JoinAddress
		want, failed string
	}{
		{config.JoinAddress{Host: "10.0.0.3", Port: 7000}, "[10.0.0.3:7000]", ""},
		{config.JoinAddress{Host: "10.0.0.1", Port: 7946}, "[]", ""},
		{config.JoinAddress{Host: "2001:db8::1", Port: 7000}, "[[2001:db8::1]:7000]", ""},
		{config.JoinAddress{Host: "lb.example.com", Port: 7946}, "[10.0.0.2:7946]", ""},
		{config.JoinAddress{Host: "nobody", Port: 7946}, "[]", "join nobody:7946: no such host"},
		{config.JoinAddress{Host: "_weir._tcp.example.com", Service: true}, "[10.0.0.1:9000 10.0.0.2:9000]", "join gone.example.com:7946: no such host"},
		{config.JoinAddress{Host: "_none._tcp.example.com", Service: true}, "[]", "join _none._tcp.example.com: no such service"},
		{config.JoinAddress{Host: "some.example.com", Port: 7946}, "[10.0.2.9:7946]", `join some.example.com: 10.0.3.9 is not among the addresses of "allow"`},
	} {
		conf := &config.Cluster{Join: []config.JoinAddress{c.join}, Listen: self}
		if c.join.Host == "some.example.com" {
			conf.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.2.0/24")}
		}
		got, err := joinTargets(t.Context(), names, conf)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if fmt.Sprint(got) != c.want || said != c.failed {
			t.Errorf("%+v: %v, %q", c.join, got, said)
		}
	}
}
