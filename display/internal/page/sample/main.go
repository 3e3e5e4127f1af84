// Command sample serves the page with an example's history, at a time that stands still, so that it
// can be looked at and pictures of it can be compared.
//
//	go run ./display/internal/page/sample -listen 127.0.0.1:9480
//
// It prints the page's address when it can be asked for.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/display/internal/page/pagetest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to serve the page at")
	flag.Parse()
	now := time.Date(2026, time.November, 20, 18, 4, 30, 0, time.UTC)
	desk := pagetest.NewDesk(now)
	p := page.New(page.Options{Name: "desk", History: desk, State: desk.State, Place: desk.Place, Zone: func() *time.Location { return time.UTC }, Now: desk.Now})
	p.Picture(desk.Rest())
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s/\n", listener.Addr())
	go p.Run(context.Background())
	log.Fatal(http.Serve(listener, p))
}
