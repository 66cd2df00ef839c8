// Command typecheck type-checks the Go packages of a directory for other systems:
//
//	typecheck DIR GOOS/GOARCH ...
//
// It takes a tenth of the time of a build, which compiles the standard library for each.
package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: typecheck DIR GOOS/GOARCH ...")
		os.Exit(2)
	}
	for _, platform := range os.Args[2:] {
		fmt.Println("check", platform)
		if err := check(os.Args[1], platform); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", platform, err)
			os.Exit(1)
		}
	}
}

func check(dir, platform string) error {
	system, machine, ok := strings.Cut(platform, "/")
	if !ok {
		return fmt.Errorf("not of the form GOOS/GOARCH")
	}
	all, err := packages.Load(&packages.Config{
		// From source, all that is imported included: nothing is compiled.
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedTypesSizes,
		Dir:  dir,
		Env:  append(os.Environ(), "GOOS="+system, "GOARCH="+machine, "CGO_ENABLED=0"),
	}, "./...")
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("no packages in %s", dir)
	}
	if n := packages.PrintErrors(all); n > 0 {
		return fmt.Errorf("%d errors", n)
	}
	return nil
}
