package secrets_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/secrets"
)

func Example() {
	token := strings.Join([]string{"ghp", "Zx81QpLm27VbNcRt54YhGk93WsEd60UjTfXa"}, "_")
	config := "log: debug\ntoken: " + token + "  # of the robot\n"
	facts, err := secrets.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("srv/config.yaml", []byte(config)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Printf("line %d: %s (%s)\n%s\n", f.Secret.Line, f.Secret.Title, f.Secret.Rule, f.Secret.Masked)
	}
	// Output:
	// line 2: GitHub personal access token (github-token)
	// token: ********  # of the robot
}

func ExampleParse() {
	rules, err := secrets.Parse("shop.yaml", []byte(`
format: 1
name: shop
version: "2026.11"
rules:
- id: shop-token
  title: Token of the shop
  severity: high
  keywords: [shop_]
  regexp: '\b(?P<secret>shop_[0-9a-f]{32})\b'
  entropy: 3000
  examples:
    match: ['token = shop_<hex 32>']
    miss: ['shop_name', 'shop_00000000000000000000000000000000']
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rules.Name(), rules.Check())
	// Output: shop 2026.11 <nil>
}
