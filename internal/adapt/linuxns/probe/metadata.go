package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// metadata checks that whatever answers at the metadata address is the
// platform's own server, which is asked with care and knows this instance only.
// A build has none.
func metadata(fail report, address string) {
	conn, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		return
	}
	_ = conn.Close()
	url := "http://" + address + "/computeMetadata/v1/instance/id"
	for why, header := range map[string]http.Header{
		"without Metadata-Flavor": {},
		"through a proxy":         {"Metadata-Flavor": {"Google"}, "X-Forwarded-For": {"10.0.0.1"}},
	} {
		if status, body := get(url, header); status != http.StatusForbidden {
			fail("%s answers %s: %d %.40s", address, why, status, body)
		}
	}
	name, _ := os.Hostname()
	if status, id := get(url, http.Header{"Metadata-Flavor": {"Google"}}); status == http.StatusOK && id != name {
		fail("%s knows another instance: %.40s", address, id)
	}
}

// services checks that the server's own port answers for services, as they call
// each other, and not for the API.
func services(fail report, address, port string) {
	for _, name := range []string{"127.0.0.1", "localhost", "10.213.0.1"} {
		for _, path := range []string{"/v1/apps/sunya", "/v2/", "/storage/v1/b?project=sunya"} {
			status, body := get("http://"+address+path, http.Header{"Host": {name + ":" + port}})
			if status != 0 && status != http.StatusNotFound {
				fail("%s answers as %s on %s: %d %.40s", address, name, path, status, body)
			}
		}
	}
}

func get(url string, header http.Header) (status int, body string) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Header, req.Host = header, header.Get("Host")
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(b)
}
