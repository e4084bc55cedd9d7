package hoststack

import (
	"encoding/xml"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

// mavenSettings is the part of a settings.xml that says how artifacts are
// fetched. Everything else in it stays with the owner: profiles can hold
// anything, and servers hold the passwords of places that builds never see.
type mavenSettings struct {
	XMLName xml.Name      `xml:"settings"`
	Proxies []mavenProxy  `xml:"proxies>proxy"`
	Mirrors []mavenMirror `xml:"mirrors>mirror"`
	Servers []mavenServer `xml:"servers>server"`
}

type mavenProxy struct {
	ID       string `xml:"id,omitempty"`
	Active   string `xml:"active,omitempty"`
	Protocol string `xml:"protocol,omitempty"`
	Host     string `xml:"host"`
	Port     string `xml:"port"`
	User     string `xml:"username,omitempty"`
	Password string `xml:"password,omitempty"`
	Not      string `xml:"nonProxyHosts,omitempty"`
}

type mavenMirror struct {
	ID     string `xml:"id"`
	Of     string `xml:"mirrorOf"`
	URL    string `xml:"url"`
	Layout string `xml:"layout,omitempty"`
}

type mavenServer struct {
	ID       string `xml:"id"`
	User     string `xml:"username,omitempty"`
	Password string `xml:"password,omitempty"`
}

// mavenVar names the settings file of a build.
const mavenVar = "SUNYA_MAVEN_SETTINGS"

// javaCerts names the certificates that a build's JVMs trust.
const javaCerts = "SUNYA_JAVA_CERTS"

// javaCertificates is the store that the machine keeps for JVMs, a private
// authority of the owner's in it: an installation from elsewhere brings its own
// and knows nothing of the machine's. Every sandbox has it; "" for none.
func (p places) javaCertificates() string {
	for _, path := range []string{"etc/ssl/certs/java/cacerts", "etc/pki/java/cacerts"} {
		path = filepath.Join(p.root, path)
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// maven returns the settings file for builds, and the addresses on this
// machine's loopback that it names. env is the environment of builds: Maven
// does not read the proxies of its variables by itself.
func (p places) maven(env map[string]string) (*build.ClientFile, []string) {
	s := p.readMaven()
	addrs := s.throughGateway()
	if len(s.Proxies) == 0 {
		s.Proxies = envProxies(env)
	}
	if len(s.Proxies)+len(s.Mirrors) == 0 {
		return nil, nil
	}
	content, err := xml.MarshalIndent(s, "", "  ")
	if err != nil { // strings alone always marshal
		return nil, nil
	}
	return &build.ClientFile{Name: "maven-settings.xml", Vars: []string{mavenVar}, Content: content}, addrs
}

// readMaven reads the owner's settings.xml as far as it concerns builds. One
// that is not XML is as good as none.
func (p places) readMaven() *mavenSettings {
	s := &mavenSettings{}
	if p.home == "" {
		return s
	}
	data, err := readSmall(filepath.Join(p.home, ".m2", "settings.xml"))
	if err != nil {
		return s
	}
	if err := xml.Unmarshal(data, s); err != nil {
		return &mavenSettings{}
	}
	s.XMLName = xml.Name{Local: "settings"} // any version of the schema
	mirrors := map[string]bool{}
	for _, m := range s.Mirrors {
		mirrors[m.ID] = true
	}
	var servers []mavenServer
	for _, server := range s.Servers {
		if mirrors[server.ID] {
			servers = append(servers, server)
		}
	}
	s.Servers = servers
	return s
}

// throughGateway makes mirrors and proxies on this machine's loopback name the
// gateway of the sandbox.
func (s *mavenSettings) throughGateway() []string {
	var all []string
	for i := range s.Mirrors {
		m := map[string]string{"url": s.Mirrors[i].URL}
		all = append(all, throughGateway(m)...)
		s.Mirrors[i].URL = m["url"]
	}
	for i := range s.Proxies {
		m := map[string]string{"url": "http://" + s.Proxies[i].Host + ":" + s.Proxies[i].Port}
		if addrs := throughGateway(m); len(addrs) > 0 {
			u, err := url.Parse(m["url"])
			if err == nil {
				s.Proxies[i].Host, all = u.Hostname(), append(all, addrs...)
			}
		}
	}
	return all
}

// envProxies are the proxies of the environment as Maven writes them.
func envProxies(env map[string]string) []mavenProxy {
	var list []mavenProxy
	for _, scheme := range []string{"http", "https"} {
		value := env[scheme+"_proxy"]
		if value == "" {
			value = env[strings.ToUpper(scheme)+"_PROXY"]
		}
		u, err := url.Parse(value)
		if value == "" || err != nil || u.Hostname() == "" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = strings.TrimPrefix(defaultPorts[u.Scheme], ":")
		}
		password, _ := u.User.Password()
		list = append(list, mavenProxy{ID: scheme, Active: "true", Protocol: scheme, Host: u.Hostname(), Port: port,
			User: u.User.Username(), Password: password, Not: noProxy(env)})
	}
	return list
}

// noProxy turns NO_PROXY's commas and leading dots into Maven's bars and stars.
func noProxy(env map[string]string) string {
	value := env["no_proxy"]
	if value == "" {
		value = env["NO_PROXY"]
	}
	var list []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); strings.HasPrefix(part, ".") {
			part = "*" + part
		}
		if part != "" {
			list = append(list, part)
		}
	}
	return strings.Join(list, "|")
}
