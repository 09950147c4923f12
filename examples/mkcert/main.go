// Command mkcert makes a self-signed certificate for trying TLS:
//
//	go run ./examples/mkcert [-rsa] [-dir DIR] [-name NAME] HOST …
//
// writes DIR/NAME.crt and DIR/NAME.key.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weir-lb/weir/examples/selfsigned"
)

func main() {
	rsa := flag.Bool("rsa", false, "make an RSA key of 2,048 bits instead of an ECDSA one")
	dir := flag.String("dir", ".", "folder to write into")
	name := flag.String("name", "server", "file name without .crt and .key")
	flag.Parse()
	kind := selfsigned.ECDSA
	if *rsa {
		kind = selfsigned.RSA
	}
	pair, err := selfsigned.Make(kind, flag.Args()...)
	if err == nil {
		err = pair.Write(*dir, *name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mkcert:", err)
		os.Exit(1)
	}
	fmt.Printf("%s.crt and %[1]s.key are written\n", filepath.Join(*dir, *name))
}
