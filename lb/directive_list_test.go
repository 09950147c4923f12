package lb_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

// provenElsewhere names the Go tests of directives that no script shows, each
// as the folder of its package and its name. What "in upstream" and "in
// cluster" mean are other directives of the same name.
func provenElsewhere() map[string]string {
	const proxy, node, process = "proxy ", "../node ", "../cmd/weir "
	const grpc = proxy + "TestGRPCDirectives"
	return map[string]string{
		"grpc_pass": proxy + "TestGRPCPass", "grpc_connect_timeout": proxy + "TestGRPCConnectTimeout",
		"grpc_send_timeout": proxy + "TestHTTP2Timeouts", "grpc_socket_keepalive": ". TestSocketKeepalive",
		"grpc_bind": grpc, "grpc_buffer_size": grpc, "grpc_hide_header": grpc, "grpc_ignore_headers": grpc,
		"grpc_intercept_errors": grpc, "grpc_next_upstream": grpc, "grpc_next_upstream_timeout": grpc,
		"grpc_next_upstream_tries": grpc, "grpc_pass_header": grpc, "grpc_read_timeout": grpc, "grpc_set_header": grpc,
		"client_body_buffer_size": proxy + "TestRequestBody", "client_body_temp_path": process + "TestReloadAndQuit",
		"early_hints": proxy + "TestReply", "error_log": ". TestErrorLogOfEachBlock", "log_not_found": ". TestErrorLogOfEachBlock",
		"keepalive_time": ". TestKeepaliveTime", "keepalive_time in upstream": ". TestUpstreamKeepalive",
		"keepalive_timeout": ". TestTimeouts", "keepalive_timeout in upstream": ". TestUpstreamKeepalive", "least_time": "upstream TestScripts",
		"lingering_close": ". TestResetTimedoutConnection", "lingering_time": ". TestEarlyReplyIsReceived",
		"lingering_timeout": ". TestTimeouts", "reset_timedout_connection": ". TestResetTimedoutConnection",
		"proxy_buffering": proxy + "TestSlowClient", "proxy_buffers": proxy + "TestSlowClient",
		"proxy_max_temp_file_size": proxy + "TestSlowClient", "proxy_temp_path": proxy + "TestSlowClient",
		"proxy_connect_timeout": proxy + "TestFailureWords", "proxy_send_timeout": proxy + "TestUploadFailures",
		"proxy_ignore_client_abort": proxy + "TestClientAbort", "proxy_request_buffering": proxy + "TestRequestBody",
		"proxy_socket_keepalive": ". TestSocketKeepalive", "send_timeout": ". TestSendTimeout",
		"queue": ". TestQueue", "health_check": ". TestHealthCheck", "match": ". TestHealthCheck", "resolver": ". TestResolve", "state": ". TestStateFile", "resolver_timeout": ". TestLeaveWhileResolving", "ssl_session_timeout": ". TestSessionTimeoutInheritance",
		"sticky_key": ". TestSealedCookies", "sticky_accept": ". TestSealedCookies",
		"http2": ". TestHTTP2IsAgreedOn", "http2_recv_buffer_size": ". TestHTTP2IsAgreedOn",
		"http2_max_concurrent_streams": ". TestHTTP2Limits", "http2_body_preread_size": ". TestHTTP2Limits",
		"http2_chunk_size":     ". TestHTTP2Limits",
		"worker_rlimit_nofile": process + "TestLimits", "worker_processes": process + "TestLimits",
		"daemon": process + "TestDaemon", "env": node + "TestEnvironment", "pid": node + "TestLife", "user": process + "TestUser",
		"worker_shutdown_timeout": node + "TestShutdownTimeout", "events": "../cluster-test TestGuideConfigurations",
		"http":    "../cluster-test TestGuideConfigurations",
		"cluster": node + "TestCluster", "listen in cluster": node + "TestCluster", "join": node + "TestCluster", "expect": node + "TestCluster", "allow in cluster": node + "TestAllowed",
		"data": node + "TestAlone", "node": node + "TestDriftIsTold", "name": node + "TestStrangers", "secret": node + "TestStrangers",
	}
}

// TestEveryDirectiveIsTested fails for each directive in force that no case
// and no test shows in one of its blocks.
func TestEveryDirectiveIsTested(t *testing.T) {
	t.Parallel()
	shown := shownDirectives(t)
	elsewhere := provenElsewhere()
	known := map[string]bool{}
	for _, d := range config.Directives() {
		known[d.Name] = true
		if d.State != config.Supported {
			continue
		}
		for _, in := range d.In {
			name := d.Name
			if own := name + " in " + in; in == "upstream" || in == "cluster" {
				known[own] = true
				if elsewhere[own] != "" {
					name = own
				}
			}
			if elsewhere[name] == "" && !shown[d.Name][in] {
				t.Errorf("%s: no case of %s has it in a block of kind %q", d.Name, directiveScripts, in)
			}
		}
	}
	for name, test := range elsewhere {
		if !known[name] {
			t.Errorf("%s is no directive", name)
		}
		if !testExists(t, test) {
			t.Errorf("%s: there is no test %s", name, test)
		}
	}
}

// testExists tells whether "folder TestName" is there.
func testExists(t *testing.T, test string) bool {
	t.Helper()
	dir, name, _ := strings.Cut(test, " ")
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(text), "\nfunc "+name+"(")
	})
}

// shownDirectives returns the kinds of blocks in which the cases about each
// directive have it.
func shownDirectives(t *testing.T) map[string]map[string]bool {
	t.Helper()
	files, err := filepath.Glob(directiveScripts)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]map[string]bool{}
	for _, file := range files {
		_, cases := readScript(t, file)
		for _, c := range cases {
			about, _, _ := strings.Cut(c.title, ":")
			names := strings.Split(about, ", ")
			written := map[string][]string{}
			(&blockWalk{words: wordPattern().FindAllString(c.conf(), -1), written: written}).walk("main")
			for _, name := range names {
				if len(written[name]) == 0 {
					t.Errorf("%s: case %q does not have %s", file, c.title, name)
				}
				if shown[name] == nil {
					shown[name] = map[string]bool{}
				}
				for _, in := range written[name] {
					shown[name][in] = true
				}
			}
		}
	}
	return shown
}

// wordPattern matches the words of a configuration, and what ends them.
func wordPattern() *regexp.Regexp {
	return regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[;{}]|(?:\$\{|[^\s;{}])+`)
}

// blockWalk finds out in which blocks the directives of a configuration are.
type blockWalk struct {
	words   []string
	written map[string][]string // directive → kinds of blocks
}

// walk goes through a block up to its end.
func (w *blockWalk) walk(kind string) {
	name := ""
	for len(w.words) > 0 {
		word := w.words[0]
		w.words = w.words[1:]
		switch {
		case word == "}":
			return
		case word == ";":
			name = ""
		case word == "{":
			w.walk(innerKind(kind, name))
			name = ""
		case name == "":
			name = word
			w.written[name] = append(w.written[name], kind)
		}
	}
}

// innerKind is the kind of the block that a directive opens.
func innerKind(outer, name string) string {
	switch name {
	case "if":
		return "if in " + outer
	case "http", "upstream", "server", "location", "limit_except":
		return name
	}
	return "list" // its lines are no directives
}
