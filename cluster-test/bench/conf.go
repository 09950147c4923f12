package main

import (
	"fmt"
	"os"
	"strings"
)

// user keeps nginx, started by root, from becoming nobody, who cannot read what is made here.
func user() string {
	if os.Geteuid() == 0 {
		return "user root;\n"
	}
	return ""
}

// backendConf is the nginx behind the proxies: two ports that answer as cheaply as can be.
func backendConf(dir string, ports [2]int) string {
	return user() + fmt.Sprintf(`worker_processes 1;
pid %[1]s/backend.pid;
error_log %[1]s/error.log warn;
events { worker_connections 12000; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    sendfile on;
    tcp_nopush on;
    server {
        listen 127.0.0.1:%[2]d backlog=4096;
        listen 127.0.0.1:%[3]d backlog=4096;
        default_type application/octet-stream;
        location / { return 200 "%[4]s"; }
        location = /100k { root %[1]s; }
    }
}
`, dir, ports[0], ports[1], strings.Repeat("0123456789abcdef", 64))
}

// nginxConf is one file for nginx and for weir.
func nginxConf(s setup) string {
	var b strings.Builder
	b.WriteString(user())
	fmt.Fprintf(&b, `worker_processes 1;
pid %[1]s/proxy.pid;
error_log %[1]s/logs/error.log warn;
events { worker_connections 12000; }
http {
`, s.dir)
	if s.realistic {
		fmt.Fprintf(&b, `    log_format site '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                    '"$http_referer" "$http_user_agent" $request_time $upstream_addr $upstream_response_time';
    access_log %s/logs/access.log site buffer=64k flush=1s;
`, s.dir)
	} else {
		b.WriteString("    access_log off;\n")
	}
	fmt.Fprintf(&b, `    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    upstream backends {
        server 127.0.0.1:%d;
        server 127.0.0.1:%d;
        keepalive 512;
        keepalive_requests 1000000000;
    }
    proxy_http_version 1.1;
    proxy_buffer_size 64k;
    proxy_buffers 8 64k;
    proxy_busy_buffers_size 128k;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
`, s.backends[0], s.backends[1])
	if s.cached { // with what makes nginx's quickest
		fmt.Fprintf(&b, `    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    proxy_cache_path %s/cache levels=1:2 keys_zone=bench:10m;
    proxy_cache bench;
    proxy_cache_valid 1h;
`, s.dir)
	}
	if s.realistic {
		writeRealisticServers(&b, s)
	} else {
		b.WriteString("    server {\n" + nginxListen(s) + "        location / { proxy_pass http://backends; }\n    }\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func nginxListen(s setup) string {
	if s.key == plain {
		return fmt.Sprintf("        listen 127.0.0.1:%d backlog=4096;\n", s.port)
	}
	resume := "ssl_session_cache shared:bench:10m;"
	if !s.resume {
		resume = "ssl_session_cache off;\n        ssl_session_tickets off;"
	}
	h2 := ""
	if s.h2 {
		h2 = " http2" // nginx 1.22 has no directive of that name
	}
	return fmt.Sprintf(`        listen 127.0.0.1:%d ssl%s backlog=4096;
        ssl_certificate %s/%s.crt;
        ssl_certificate_key %[3]s/%[4]s.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        %s
`, s.port, h2, s.ssl, s.key, resume)
}

// writeRealisticServers writes 20 servers of which the one asked for is found by a wildcard, and 50
// locations in it, prefixes and regular expressions, with rules for fields in both directions.
func writeRealisticServers(b *strings.Builder, s setup) {
	listen := nginxListen(s)
	for i := range 19 {
		fmt.Fprintf(b, "    server {\n%s        server_name site%d.example www.site%[2]d.example;\n"+
			"        location / { proxy_pass http://backends; }\n    }\n", listen, i)
		listen = strings.Replace(listen, " backlog=4096", "", 1) // a socket's options are given once
	}
	fmt.Fprintf(b, "    server {\n%s        server_name *.example.org;\n", listen)
	for i := range 40 {
		fmt.Fprintf(b, `        location /area%d/ {
            proxy_pass http://backends/;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header X-Area %[1]d;
            proxy_hide_header X-Powered-By;
            proxy_read_timeout 30s;
            add_header X-Content-Type-Options nosniff;
            add_header X-Frame-Options SAMEORIGIN;
            add_header Strict-Transport-Security "max-age=31536000";
        }
`, i)
	}
	for i := range 9 {
		fmt.Fprintf(b, "        location ~ \\.kind%d$ { proxy_pass http://backends; }\n", i)
	}
	b.WriteString("        location / { proxy_pass http://backends; }\n    }\n")
}

func haproxyConf(s setup) string {
	bind := fmt.Sprintf("bind 127.0.0.1:%d backlog 4096", s.port)
	tls := ""
	if s.key != plain {
		bind += fmt.Sprintf(" ssl crt %s/%s.pem", s.ssl, s.key)
		if s.h2 {
			bind += " alpn h2,http/1.1"
		}
		if !s.resume {
			bind += " no-tls-tickets"
			tls = "    tune.ssl.cachesize 0\n"
		}
	}
	return fmt.Sprintf(`global
    nbthread 1
%sdefaults
    mode http
    timeout connect 60s
    timeout client 1h
    timeout server 60s
    option forwardfor
    http-reuse always
frontend in
    %s
    default_backend backends
backend backends
    balance roundrobin
    server a 127.0.0.1:%d
    server b 127.0.0.1:%d
`, tls, bind, s.backends[0], s.backends[1])
}

func caddyConf(s setup) string {
	site, tls := fmt.Sprintf("http://127.0.0.1:%d", s.port), ""
	if s.key != plain {
		site = fmt.Sprintf("https://127.0.0.1:%d", s.port)
		tls = fmt.Sprintf("    tls %s/%s.crt %[1]s/%[2]s.key\n", s.ssl, s.key)
	}
	return fmt.Sprintf(`{
    admin off
    auto_https off
}
%s {
%s    reverse_proxy 127.0.0.1:%d 127.0.0.1:%d {
        lb_policy round_robin
        transport http {
            keepalive_idle_conns 1024
            keepalive_idle_conns_per_host 512
        }
    }
}
`, site, tls, s.backends[0], s.backends[1])
}
