package http2

import (
	"strings"
	"testing"
	"testing/synctest"
)

// TestRules holds the server against RFC 9113: what each violation is answered
// with. Every case begins with a connection that has been opened; "…" stands for
// what may come before and behind.
func TestRules(t *testing.T) {
	t.Parallel()
	const echoed = "H1e :status=200 content-length=0 x-got="
	head := "GET / HTTP/2.0|host: a|"
	for name, c := range map[string][2]string{
		"a request":                   {"H1e get", echoed + head},
		"a body":                      {"H1 post; D1 abc; D1e def", echoed + "POST / HTTP/2.0|host: a| body: abcdef"},
		"an empty end":                {"H1 post; D1 abc; D1e", echoed + "POST / HTTP/2.0|host: a| body: abc"},
		"trailers":                    {"H1 post; D1 abc; H1e x-t=1 content-length=3", echoed + "POST / HTTP/2.0|host: a| body: abc trailer: x-t trailer: content-length"},
		"a length that fits":          {"H1 post content-length=3; D1e abc", echoed + "POST / HTTP/2.0|host: a|content-length: 3| body: abc"},
		"a head in pieces":            {"H1e+ get; C1+ a=b; C1 c=d", echoed + head + "a: b|c: d|"},
		"cookies":                     {"H1e get cookie=a=1 x=y cookie=b=2", echoed + head + "x: y|cookie: a=1; b=2|"},
		"te: trailers":                {"H1e get te=trailers", echoed + head + "te: trailers|"},
		"names nginx finds odd":       {"H1e get a_b=1 a.b=2 c=3", echoed + head + "c: 3|"},
		"host beside authority":       {"H1e get host=A", echoed + head},
		"host without authority":      {"H1e :method=GET :scheme=https :path=/ host=b", echoed + "GET / HTTP/2.0|host: b|"},
		"plain CONNECT":               {"H1e :method=CONNECT :authority=a:1", echoed + "CONNECT  HTTP/2.0|host: a:1|"},
		"ping":                        {"P 12345678", "P 12345678"},
		"settings":                    {"S 4=70000 3=1", "S ack"},
		"unknown frame":               {"X 000001ee0000000001ff", ""},
		"priority":                    {"X 00000502000000000500000003ff", ""},
		"priority update":             {"H1 post; X 00000710000000000000000001753d31; D1e", echoed + "POST / HTTP/2.0|host: a|"},
		"reset":                       {"H1 post; R1 8", ""},
		"window of a finished stream": {"H1 post; D1e; W1 5", echoed + "POST / HTTP/2.0|host: a|"},

		"stream 2":                       {"H2e get", "G 0 PROTOCOL_ERROR"},
		"a lower stream":                 {"H3e get; H1e get", "G 3 STREAM_CLOSED"},
		"headers on stream 0":            {"H0e get", "G 0 PROTOCOL_ERROR"},
		"data on stream 0":               {"D0 a", "G 0 PROTOCOL_ERROR"},
		"data on an idle stream":         {"D1 a", "G 0 PROTOCOL_ERROR"},
		"reset of an idle stream":        {"R1 8", "G 0 PROTOCOL_ERROR"},
		"reset of stream 0":              {"R0 8", "G 0 PROTOCOL_ERROR"},
		"window of an idle stream":       {"W1 8", "G 0 PROTOCOL_ERROR"},
		"window by 0":                    {"W0 0", "G 0 PROTOCOL_ERROR"},
		"stream window by 0":             {"H1 post; W1 0", "R1 PROTOCOL_ERROR"},
		"window overflow":                {"W0 2147483647", "G 0 FLOW_CONTROL_ERROR"},
		"stream window overflow":         {"H1 post; W1 2147483647", "R1 FLOW_CONTROL_ERROR"},
		"settings window overflow":       {"H1 post; W1 2147418112; S 4=65536", "G 1 FLOW_CONTROL_ERROR"},
		"settings on a stream":           {"X 000000040000000001", "G 0 PROTOCOL_ERROR"},
		"settings of 5 bytes":            {"X 0000050400000000000001020304", "G 0 FRAME_SIZE_ERROR"},
		"settings ack with payload":      {"X 000006040100000000000100000001", "G 0 FRAME_SIZE_ERROR"},
		"ping on a stream":               {"X 0000080600000000010000000000000000", "G 0 PROTOCOL_ERROR"},
		"ping of 7 bytes":                {"X 00000706000000000000000000000000", "G 0 FRAME_SIZE_ERROR"},
		"reset of 3 bytes":               {"H1 post; X 000003030000000001000000", "G 1 FRAME_SIZE_ERROR"},
		"window of 3 bytes":              {"X 000003080000000000000001", "G 0 FRAME_SIZE_ERROR"},
		"priority of 4 bytes":            {"X 00000402000000000100000003", "R1 FRAME_SIZE_ERROR"},
		"priority on stream 0":           {"X 00000502000000000000000003ff", "G 0 PROTOCOL_ERROR"},
		"priority on itself":             {"X 00000502000000000300000003ff", "R3 PROTOCOL_ERROR"},
		"priority update of stream 0":    {"X 00000410000000000000000000", "G 0 PROTOCOL_ERROR"},
		"priority update on a stream":    {"X 00000410000000000100000001", "G 0 PROTOCOL_ERROR"},
		"short priority update":          {"X 000003100000000000000000", "G 0 FRAME_SIZE_ERROR"},
		"goaway on a stream":             {"X 0000080700000000010000000000000000", "G 0 PROTOCOL_ERROR"},
		"short goaway":                   {"X 000004070000000000" + "00000000", "G 0 FRAME_SIZE_ERROR"},
		"push promise":                   {"X 00000405000000000100000002", "G 0 PROTOCOL_ERROR"},
		"too large a frame":              {"X 004001000000000001", "G 0 FRAME_SIZE_ERROR"},
		"continuation alone":             {"C1 a=b", "G 0 PROTOCOL_ERROR"},
		"a frame amid a block":           {"H1e+ get; P a", "G 1 PROTOCOL_ERROR"},
		"a block of another stream":      {"H1e+ get; C3 a=b", "G 1 PROTOCOL_ERROR"},
		"an unknown frame amid a block":  {"H1e+ get; X 000001ee0000000001ff", "G 1 PROTOCOL_ERROR"},
		"data padded too much":           {"H1 post; X 00000200080000000102ff", "G 1 PROTOCOL_ERROR"},
		"data after the end":             {"H1 post; H3 post; D1e; D1 a; D3e", "… R1 STREAM_CLOSED"},
		"headers after the end":          {"H1 post; D1e; H1e a=b", "… STREAM_CLOSED"},
		"a broken block":                 {"X 0000010105000000018" + "0", "G 1 COMPRESSION_ERROR"},
		"trailers that do not end":       {"H1 post; H1 a=b", "R1 PROTOCOL_ERROR"},
		"pseudo in trailers":             {"H1 post; H1e :path=/", "R1 PROTOCOL_ERROR"},
		"upper case":                     {"H1e get A=b", "R1 PROTOCOL_ERROR"},
		"no name":                        {"H1e get =b", "R1 PROTOCOL_ERROR"},
		"space in a name":                {"H1e get a\\x20b=c", "R1 PROTOCOL_ERROR"},
		"colon in a name":                {"H1e get a:b=c", "R1 PROTOCOL_ERROR"},
		"CR LF in a name":                {"H1e get a\\r\\nb=c", "R1 PROTOCOL_ERROR"},
		"LF in a value":                  {"H1e get a=b\\nc:d", "R1 PROTOCOL_ERROR"},
		"CR in a value":                  {"H1e get a=b\\rc", "R1 PROTOCOL_ERROR"},
		"NUL in a value":                 {"H1e get a=b\\x00c", "R1 PROTOCOL_ERROR"},
		"space before a value":           {"H1e get a=\\x20b", "R1 PROTOCOL_ERROR"},
		"space behind a value":           {"H1e get a=b\\t", "R1 PROTOCOL_ERROR"},
		"connection":                     {"H1e get connection=close", "R1 PROTOCOL_ERROR"},
		"proxy-connection":               {"H1e get proxy-connection=close", "R1 PROTOCOL_ERROR"},
		"keep-alive":                     {"H1e get keep-alive=1", "R1 PROTOCOL_ERROR"},
		"transfer-encoding":              {"H1 post transfer-encoding=chunked", "R1 PROTOCOL_ERROR"},
		"upgrade":                        {"H1e get upgrade=h2c", "R1 PROTOCOL_ERROR"},
		"te: gzip":                       {"H1e get te=gzip", "R1 PROTOCOL_ERROR"},
		"no method":                      {"H1e :scheme=https :path=/ :authority=a", "R1 PROTOCOL_ERROR"},
		"no scheme":                      {"H1e :method=GET :path=/ :authority=a", "R1 PROTOCOL_ERROR"},
		"no path":                        {"H1e :method=GET :scheme=https :authority=a", "R1 PROTOCOL_ERROR"},
		"nothing":                        {"H1e", "R1 PROTOCOL_ERROR"},
		"empty path":                     {"H1e :method=GET :scheme=https :path= :authority=a", "R1 PROTOCOL_ERROR"},
		"path without a slash":           {"H1e :method=GET :scheme=https :path=x :authority=a", "R1 PROTOCOL_ERROR"},
		"space in the path":              {"H1e :method=GET :scheme=https :path=/a\\x20b :authority=a", "R1 PROTOCOL_ERROR"},
		"LF in the path":                 {"H1e :method=GET :scheme=https :path=/a\\nb :authority=a", "R1 PROTOCOL_ERROR"},
		"space in the method":            {"H1e :method=G\\x20/ :scheme=https :path=/ :authority=a", "R1 PROTOCOL_ERROR"},
		"bad scheme":                     {"H1e :method=GET :scheme=a:b :path=/ :authority=a", "R1 PROTOCOL_ERROR"},
		"space in the authority":         {"H1e :method=GET :scheme=https :path=/ :authority=a\\x20b", "R1 PROTOCOL_ERROR"},
		"twice a path":                   {"H1e get :path=/", "R1 PROTOCOL_ERROR"},
		"unknown pseudo":                 {"H1e get :x=y", "R1 PROTOCOL_ERROR"},
		"status in a request":            {"H1e get :status=200", "R1 PROTOCOL_ERROR"},
		"pseudo behind a field":          {"H1e :method=GET :scheme=https a=b :path=/", "R1 PROTOCOL_ERROR"},
		"another host":                   {"H1e get host=b", "R1 PROTOCOL_ERROR"},
		"CONNECT with a path":            {"H1e :method=CONNECT :authority=a :path=/", "R1 PROTOCOL_ERROR"},
		"CONNECT without an authority":   {"H1e :method=CONNECT", "R1 PROTOCOL_ERROR"},
		"protocol without CONNECT":       {"H1e get :protocol=websocket", "R1 PROTOCOL_ERROR"},
		"bad length":                     {"H1 post content-length=+3", "R1 PROTOCOL_ERROR"},
		"two lengths":                    {"H1 post content-length=3 content-length=3", "R1 PROTOCOL_ERROR"},
		"a length without a body":        {"H1e post content-length=3", "R1 PROTOCOL_ERROR"},
		"more than the length":           {"H1 post content-length=3; D1 abcd", "R1 PROTOCOL_ERROR"},
		"more than the length in pieces": {"H1 post content-length=3; D1 ab; D1 cd", "R1 PROTOCOL_ERROR"},
		"less than the length":           {"H1 post content-length=3; D1e ab", "R1 PROTOCOL_ERROR"},
		"less than the length, trailers": {"H1 post content-length=3; D1 ab; H1e a=b", "R1 PROTOCOL_ERROR"},
		"depends on itself":              {"X 00000b0125000000010000000100828487410161", "R1 PROTOCOL_ERROR"},
		"too many streams":               {"H1 post; H3 post; H5 post; H7 post; H9e get", "… R9 REFUSED_STREAM"},
		"too large a field":              {"H1e get a=" + strings.Repeat("x", 1100), "H1 :status=200 content-length=9; D1e too large"},
		"too many fields":                {"H1e get" + strings.Repeat(" a=b", 40), "H1 :status=200 content-length=9; D1e too large"},
		"too large a block":              {"H1e+ get; C1+ a=" + strings.Repeat("x", 15000) + "; C1+ b=" + strings.Repeat("y", 15000), "G 1 ENHANCE_YOUR_CALM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, echo)
				r.start()
				_ = r.send(c[0])
				synctest.Wait()
				got := r.told()
				want, part := strings.CutPrefix(c[1], "… ")
				if got != want && !(part && strings.Contains(got, want)) {
					t.Errorf("%s\n got  %s\n want %s\n%q", c[0], got, c[1], r.refused)
				}
			})
		})
	}
}
