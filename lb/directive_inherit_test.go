package lb_test

import (
	"reflect"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/lbtest"
)

// TestInheritance is for the directives whose effect other tests prove: a
// location has the value of the next block around it that holds one.
func TestInheritance(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	for _, c := range []struct{ name, one, two string }{
		{"client_body_buffer_size", "1k", "2k"},
		{"client_body_temp_path", "one", "two"},
		{"early_hints", "$http_one", "$http_two"},
		{"error_log", "one.log", "two.log info"},
		{"keepalive_time", "1s", "2s"},
		{"lingering_close", "off", "always"},
		{"lingering_time", "1s", "2s"},
		{"lingering_timeout", "1s", "2s"},
		{"log_not_found", "off", "on"},
		{"proxy_buffering", "off", "on"},
		{"proxy_buffers", "4 16k", "6 16k"},
		{"proxy_connect_timeout", "1s", "2s"},
		{"proxy_ignore_client_abort", "on", "off"},
		{"proxy_max_temp_file_size", "64k", "128k"},
		{"proxy_request_buffering", "off", "on"},
		{"proxy_send_timeout", "1s", "2s"},
		{"proxy_socket_keepalive", "on", "off"},
		{"proxy_temp_path", "one", "two"},
		{"reset_timedout_connection", "on", "off"},
		{"resolver", "127.0.0.1", "127.0.0.2"},
		{"resolver_timeout", "1s", "2s"},
		{"send_timeout", "1s", "2s"},
	} {
		one, two := c.name+" "+c.one+";", c.name+" "+c.two+";"
		settings := func(http, server, location string) *config.Settings {
			return locationSettings(t, b, http, server, location)
		}
		none, first, second := settings("", "", ""), settings("", "", one), settings("", "", two)
		if reflect.DeepEqual(none, first) || reflect.DeepEqual(first, second) {
			t.Errorf("%s: its values are all the same", c.name)
		}
		for _, x := range []struct {
			got  *config.Settings
			want *config.Settings
			what string
		}{
			{settings(one, "", ""), first, "inherited from http"},
			{settings("", one, ""), first, "inherited from the server"},
			{settings(one, two, ""), second, "replaced in the server"},
			{settings(one, one, two), second, "replaced in the location"},
			{settings(two, two, one), first, "replaced in the location by the first value"},
		} {
			if !reflect.DeepEqual(x.got, x.want) {
				t.Errorf("%s is not %s", c.name, x.what)
			}
		}
	}
}

// locationSettings gives the settings of a location within a server within
// http. All is one line, so that places in the file do not differ.
func locationSettings(t *testing.T, b *lbtest.Balancer, http, server, location string) *config.Settings {
	t.Helper()
	cfg, err := b.Load("events {} http { " + http + " server { listen 127.0.0.1:8080; " + server + " location / { " + location + " } } }")
	if err != nil {
		t.Fatal(err)
	}
	return &cfg.HTTP.Servers[0].Locations[0].Settings
}
