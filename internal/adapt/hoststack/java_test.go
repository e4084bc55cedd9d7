package hoststack

import (
	"context"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestJavaInstallations(t *testing.T) {
	env := map[string]string{}
	p := fakePlaces(t, env)
	base := filepath.Dir(p.home)
	env["JAVA_HOME"] = filepath.Join(base, "elsewhere/jdk")
	elf := "\x7fELF and so on"
	for dir, release := range map[string]string{
		"root/usr/lib/jvm/java-17-openjdk-amd64":      "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\n",
		"root/usr/lib/jvm/temurin-25-jdk-amd64":       "JAVA_VERSION=\"25\"\n",
		"root/usr/lib/jvm/java-8":                     "JAVA_VERSION=\"1.8.0_392\"\n",
		"root/opt/jdk-11":                             "JAVA_VERSION=\"11.0.20.1\"\n",
		"home/.sdkman/candidates/java/21.0.3-tem":     "JAVA_VERSION=\"21.0.3\"\n",
		"home/.local/share/mise/installs/java/22.0.1": "JAVA_VERSION=\"22.0.1\"\n",
		"elsewhere/jdk":                               "JAVA_VERSION=\"24.0.1\"\n",
	} {
		put(t, filepath.Join(base, dir, "bin/java"), elf, 0o755)
		put(t, filepath.Join(base, dir, "release"), release, 0o644)
		if dir != "root/opt/jdk-11" {
			put(t, filepath.Join(base, dir, "bin/javac"), elf, 0o755)
		}
	}
	var versions []string
	for _, a := range p.javas() {
		r := a.ask(context.Background(), a.bin)
		if r == nil {
			continue
		}
		versions = append(versions, r.Version)
		if want := r.Version != "11.0.20"; r.Has("javac") != want || r.Fingerprint == "" {
			t.Errorf("%+v", r)
		}
	}
	want := []string{"24.0.1", "17.0.15", "25", "11.0.20", "21.0.3", "22.0.1"}
	if diff := cmp.Diff(want, versions); diff != "" {
		t.Error(diff)
	}
}

func TestMavenOfDebian(t *testing.T) {
	p := fakePlaces(t, nil)
	share, etc := filepath.Join(p.root, "usr/share/maven"), filepath.Join(p.root, "etc/maven")
	put(t, filepath.Join(share, "bin/mvn"), "#!/bin/sh\n", 0o755)
	put(t, filepath.Join(share, "boot/plexus-classworlds-2.x.jar"), "", 0o644)
	put(t, filepath.Join(etc, "m2.conf"), "", 0o644)
	put(t, filepath.Join(p.root, "usr/bin/gradle"), "#!/bin/sh\n", 0o755) // no Gradle's home around it
	for link, to := range map[string]string{filepath.Join(share, "conf"): etc, filepath.Join(p.root, "usr/bin/mvn"): filepath.Join(share, "bin/mvn")} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	want := []build.Runtime{{Language: "maven", Path: filepath.Join(share, "bin/mvn"), Prefixes: []string{etc, share}}}
	if diff := cmp.Diff(want, p.javaTools()); diff != "" {
		t.Error(diff)
	}
}

const ownersSettings = `<?xml version="1.0"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <localRepository>/home/ann/repo</localRepository>
  <servers>
    <server><id>corp</id><username>ann</username><password>needed</password></server>
    <server><id>deploy</id><username>ann</username><password>secret</password><privateKey>/home/ann/key</privateKey></server>
  </servers>
  <mirrors>
    <mirror><id>corp</id><mirrorOf>central</mirrorOf><url>http://localhost:8081/maven/</url></mirror>
  </mirrors>
  <profiles><profile><id>x</id><properties><token>secret</token></properties></profile></profiles>
</settings>`

func TestMavenSettings(t *testing.T) {
	p := fakePlaces(t, nil)
	put(t, filepath.Join(p.home, ".m2/settings.xml"), ownersSettings, 0o600)
	c, loopback := p.client([]string{"https_proxy=http://bob:pw@localhost:3128", "NO_PROXY=.corp.example,10.0.0.1"})
	if len(c.Files) != 1 || c.Files[0].Vars[0] != mavenVar {
		t.Fatalf("files %v", c.Files)
	}
	text := string(c.Files[0].Content)
	for _, s := range []string{"secret", "/home/ann", "localhost"} {
		if strings.Contains(text, s) {
			t.Errorf("%s is in the settings:\n%s", s, text)
		}
	}
	var got mavenSettings
	if err := xml.Unmarshal(c.Files[0].Content, &got); err != nil {
		t.Fatal(err)
	}
	want := mavenSettings{
		XMLName: xml.Name{Local: "settings"},
		Mirrors: []mavenMirror{{ID: "corp", Of: "central", URL: "http://" + sandbox.GatewayIP + ":8081/maven/"}},
		Servers: []mavenServer{{ID: "corp", User: "ann", Password: "needed"}},
		Proxies: []mavenProxy{{ID: "https", Active: "true", Protocol: "https", Host: sandbox.GatewayIP, Port: "3128", User: "bob", Password: "pw", Not: "*.corp.example|10.0.0.1|" + sandbox.GatewayIP}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"127.0.0.1:3128", "127.0.0.1:8081"}, loopback); diff != "" {
		t.Error(diff)
	}
}

func TestJavaCertificates(t *testing.T) {
	p := fakePlaces(t, nil)
	if c, _ := p.client(nil); c.Env[javaCerts] != "" {
		t.Errorf("certificates %q", c.Env[javaCerts])
	}
	store := filepath.Join(p.root, "etc/ssl/certs/java/cacerts")
	put(t, store, "JKS", 0o644)
	if c, _ := p.client(nil); c.Env[javaCerts] != store {
		t.Errorf("certificates %q, want %s", c.Env[javaCerts], store)
	}
}

func TestNoMavenSettings(t *testing.T) {
	p := fakePlaces(t, nil)
	put(t, filepath.Join(p.home, ".m2/settings.xml"), "<settings><offline>", 0o600)
	if c, _ := p.client(nil); len(c.Files) != 0 {
		t.Errorf("files %v", c.Files)
	}
}

// FuzzMavenSettings holds that whatever an owner wrote, builds get XML.
func FuzzMavenSettings(f *testing.F) {
	f.Add(ownersSettings, "http://proxy:8080", ".x,y")
	f.Add("<settings/>", "proxy", "")
	f.Add("<settings><mirrors><mirror><url>http://127.0.0.1</url></mirror></mirrors></settings>", "://", ",")
	f.Fuzz(func(t *testing.T, text, proxy, no string) {
		p := fakePlaces(t, nil)
		put(t, filepath.Join(p.home, ".m2/settings.xml"), text, 0o600)
		file, _ := p.maven(map[string]string{"http_proxy": proxy, "no_proxy": no})
		if file == nil {
			return
		}
		if err := xml.Unmarshal(file.Content, &mavenSettings{}); err != nil {
			t.Errorf("%v\n%s", err, file.Content)
		}
	})
}
