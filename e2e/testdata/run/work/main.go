// Work is a task of a job that does what its arguments say, one after the other:
//
//	env         print what the platform and the image have set
//	fail N      exit with status N
//	once        exit with status 1 at the first attempt
//	eat         take memory until it is killed
//	fill        write into the file system until it is killed
//	token       ask the metadata server for an access token
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	fmt.Printf("task %s attempt %s begins\n", os.Getenv("CLOUD_RUN_TASK_INDEX"), os.Getenv("CLOUD_RUN_TASK_ATTEMPT"))
	args := os.Args[1:]
	for len(args) > 0 {
		verb := args[0]
		args = args[1:]
		switch verb {
		case "env":
			printEnv()
		case "fail":
			code, err := strconv.Atoi(args[0])
			if err != nil {
				log.Fatal(err)
			}
			os.Exit(code)
		case "once":
			if os.Getenv("CLOUD_RUN_TASK_ATTEMPT") == "0" {
				log.Fatal("the first attempt fails")
			}
		case "eat":
			eat()
		case "fill":
			fill()
		case "token":
			token()
		default:
			log.Fatalf("%q is nothing to do", verb)
		}
	}
	fmt.Printf("task %s ends\n", os.Getenv("CLOUD_RUN_TASK_INDEX"))
}

func printEnv() {
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "CLOUD_RUN_") || strings.HasPrefix(v, "PORT=") || strings.HasPrefix(v, "MODE=") {
			fmt.Println(v)
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("uid %d in %s\n", os.Getuid(), dir)
}

func eat() {
	var all [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		runtime.KeepAlive(all)
	}
}

func fill() {
	f, err := os.Create("/tmp/file")
	if err != nil {
		log.Fatal(err)
	}
	for b := make([]byte, 1<<20); err == nil; _, err = f.Write(b) {
	}
	log.Fatal(err)
}

func token() {
	req, err := http.NewRequest(http.MethodGet, "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Metadata-Flavor", "Google")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "access_token") {
		log.Fatalf("no token: %s %v", resp.Status, err)
	}
	fmt.Println("has a token")
}
