package peer

import (
	"fmt"
	"path/filepath"
)

func nginx(name string, log bool) Proxy {
	return Proxy{
		Name: name, bin: "nginx",
		files: func(at place) map[string]string {
			access := "off"
			if log {
				access = filepath.Join(at.dir, "access.log")
			}
			return map[string]string{"nginx.conf": fmt.Sprintf(nginxConf, at.dir, at.listen, at.backend, access)}
		},
		argv: func(at place) []string {
			return []string{"-c", filepath.Join(at.dir, "nginx.conf"), "-e", filepath.Join(at.dir, "error.log")}
		},
	}
}

const nginxConf = `daemon off;
worker_processes auto;
error_log %[1]s/error.log;
pid %[1]s/nginx.pid;
events { worker_connections 4096; }
http {
	access_log %[4]s;
	tcp_nodelay on;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream backend {
		server %[3]s;
		keepalive 256;
		keepalive_requests 1000000000;
	}
	server {
		listen %[2]s;
		location / {
			proxy_pass http://backend;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
		}
	}
}
`

func haproxy(name string, log bool) Proxy {
	return Proxy{
		Name: name, bin: "haproxy",
		files: func(at place) map[string]string {
			target, option := "", ""
			if log {
				target, option = "log stdout format raw local0", "log global\n\toption httplog"
			}
			return map[string]string{"haproxy.cfg": fmt.Sprintf(haproxyConf, at.listen, at.backend, target, option)}
		},
		argv: func(at place) []string { return []string{"-db", "-f", filepath.Join(at.dir, "haproxy.cfg")} },
	}
}

const haproxyConf = `global
	maxconn 4096
	%[3]s
defaults
	mode http
	%[4]s
	option forwardfor
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	http-reuse always
frontend front
	bind %[1]s
	default_backend back
backend back
	server one %[2]s
`

func caddy(name string) Proxy {
	return Proxy{
		Name: name, bin: "caddy",
		files: func(at place) map[string]string {
			return map[string]string{"Caddyfile": fmt.Sprintf(caddyfile, at.listen, at.backend, at.dir)}
		},
		argv: func(at place) []string {
			return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(at.dir, "Caddyfile")}
		},
	}
}

const caddyfile = `{
	admin off
	auto_https off
	persist_config off
}
http://%[1]s {
	log {
		output file %[3]s/access.log {
			roll_disabled
		}
	}
	reverse_proxy %[2]s {
		transport http {
			keepalive_idle_conns_per_host 256
		}
	}
}
`

func traefik(name string) Proxy {
	return Proxy{
		Name: name, bin: "traefik",
		files: func(at place) map[string]string {
			return map[string]string{
				"traefik.yaml": fmt.Sprintf(traefikStatic, at.listen, at.dir),
				"routes.yaml":  fmt.Sprintf(traefikRoutes, at.backend),
			}
		},
		argv: func(at place) []string { return []string{"--configfile=" + filepath.Join(at.dir, "traefik.yaml")} },
	}
}

const traefikStatic = `global:
  checkNewVersion: false
  sendAnonymousUsage: false
entryPoints:
  front:
    address: "%[1]s"
accessLog:
  filePath: %[2]s/access.log
providers:
  file:
    filename: %[2]s/routes.yaml
    watch: false
serversTransport:
  maxIdleConnsPerHost: 256
`

const traefikRoutes = `http:
  routers:
    all:
      entryPoints: [front]
      rule: PathPrefix("/")
      service: backend
  services:
    backend:
      loadBalancer:
        servers:
        - url: http://%s
`
