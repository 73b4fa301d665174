// The sample of Google's documentation: a client that authorizes itself by what its environment has.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"google.golang.org/api/idtoken"
)

func main() {
	url := os.Args[1]
	client, err := idtoken.NewClient(context.Background(), url)
	if err != nil {
		log.Fatal(err)
	}
	response, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.StatusCode)
	io.Copy(os.Stdout, response.Body)
}
