"""Tasks for programs that are built, each with a right and a wrong program."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """A task's text with its examples, and two programs; `count` examples are found in it."""

    name: str
    language: str
    text: str
    right: str
    wrong: str
    count: int


C = (
    Sample(
        "the largest of an array",
        "c",
        "Escribe `int mayor(const int *v, int n)` que devuelva el mayor de los"
        " n primeros elementos."
        " Por ejemplo, mayor([3, 9, 4]) devuelve 9, y `mayor([-5, -2])` debe devolver -2.",
        "int mayor(const int *v, int n) {\n int m = v[0];\n"
        " for (int i = 1; i < n; i++) if (v[i] > m) m = v[i];\n return m;\n}\n",
        "int mayor(const int *v, int n) {\n int m = 0;\n"
        " for (int i = 0; i < n; i++) if (v[i] > m) m = v[i];\n return m;\n}\n",
        2,
    ),
    Sample(
        "a text is turned round in place",
        "c",
        "Write `void reverse(char *s)`, which reverses the text in"
        ' place.\n\nreverse("abcd") == "dcba"'
        '\nreverse("") == ""',
        "#include <string.h>\nvoid reverse(char *s) {\n size_t n = strlen(s);\n"
        " for (size_t i = 0; i < n / 2; i++) { char t = s[i]; s[i] = s[n - 1 -"
        " i]; s[n - 1 - i] = t; }"
        "\n}\n",
        "#include <string.h>\nvoid reverse(char *s) {\n size_t n = strlen(s);\n"
        " for (size_t i = 0; i < n; i++) { char t = s[i]; s[i] = s[n - 1 - i]; s[n - 1 - i] = t; }"
        "\n}\n",
        2,
    ),
    Sample(
        "a program that sums what it reads",
        "c",
        "Lee números enteros hasta el final de la entrada y escribe su suma.\n\n"
        "Entrada:\n1 2 3\nSalida:\n6\n\nEntrada:\n-4\n5\nSalida:\n1",
        '#include <stdio.h>\nint main(void) {\n long s = 0; int n;\n while (scanf("%d", &n) == 1)'
        ' s += n;\n printf("%ld\\n", s);\n return 0;\n}\n',
        '#include <stdio.h>\nint main(void) {\n long s = 0; int n;\n while (scanf("%d", &n) == 1)'
        ' s = n;\n printf("%ld\\n", s);\n return 0;\n}\n',
        2,
    ),
)
CPP = (
    Sample(
        "the sum of the even numbers",
        "cpp",
        "Write `int sumEven(const std::vector<int>& v)` that adds the even numbers.\n"
        "sumEven({1, 2, 4}) should return 6\nsumEven({}) should return 0",
        "#include <vector>\nint sumEven(const std::vector<int>& v) {\n int s = 0;\n"
        " for (int x : v) if (x % 2 == 0) s += x;\n return s;\n}\n",
        "#include <vector>\nint sumEven(const std::vector<int>& v) {\n int s = 0;\n"
        " for (int x : v) if (x % 2 == 1) s += x;\n return s;\n}\n",
        2,
    ),
    Sample(
        "how often each letter stands there",
        "cpp",
        "Implementa la función `contar(texto)` que devuelve un mapa de cada letra a sus veces.\n"
        "contar(\"aba\") → {'a': 2, 'b': 1}\ncontar(\"\") → {}",
        "#include <map>\n#include <string>\nusing namespace std;\n"
        "map<char, int> contar(string texto) { map<char, int> m; for (char c : texto) m[c]++;"
        " return m; }\n",
        "#include <map>\n#include <string>\nusing namespace std;\n"
        "map<char, int> contar(string texto) { map<char, int> m; for (char c : texto) m[c] = 1;"
        " return m; }\n",
        2,
    ),
    Sample(
        "a class as practice sites want it",
        "cpp",
        "Complete `class Solution` with `twoSum`.\n\nInput: nums = [2,7,11,15], target = 9\n"
        "Output: [0,1]\n\nInput: nums = [3,2,4], target = 6\nOutput: [1,2]",
        "class Solution {\npublic:\n vector<int> twoSum(vector<int>& nums, int target) {\n"
        "  for (int i = 0; i < nums.size(); i++) for (int j = i + 1; j < nums.size(); j++)\n"
        "   if (nums[i] + nums[j] == target) return {i, j};\n  return {};\n }\n};\n",
        "class Solution {\npublic:\n vector<int> twoSum(vector<int>& nums, int target) {\n"
        "  for (int i = 0; i < nums.size(); i++) for (int j = 0; j < nums.size(); j++)\n"
        "   if (nums[i] + nums[j] == target) return {i, j};\n  return {};\n }\n};\n",
        2,
    ),
)
JAVA = (
    Sample(
        "letters that are the same from both ends",
        "java",
        "Crea la clase `Textos` con el método estático `boolean capicua(String s)`.\n"
        'assertEquals(true, Textos.capicua("ana"))\nassertEquals(false, Textos.capicua("ab"))',
        "public class Textos {\n public static boolean capicua(String s) {\n"
        "  return new StringBuilder(s).reverse().toString().equals(s);\n }\n}\n",
        "public class Textos {\n public static boolean capicua(String s) {\n"
        "  return new StringBuilder(s).reverse().toString() == s;\n }\n}\n",
        2,
    ),
    Sample(
        "what is bigger than a limit",
        "java",
        "Write `List<Integer> above(int[] xs, int limit)`.\n\n| call | value |\n|---|---|\n"
        "| `above([1, 5, 9], 4)` | `[5, 9]` |\n| `above([4], 4)` | `[]` |",
        "import java.util.*;\nclass Filter {\n static List<Integer> above(int[] xs, int limit) {\n"
        "  List<Integer> out = new ArrayList<>();\n  for (int x : xs) if (x > limit) out.add(x);\n"
        "  return out;\n }\n}\n",
        "import java.util.*;\nclass Filter {\n static List<Integer> above(int[] xs, int limit) {\n"
        "  List<Integer> out = new ArrayList<>();\n  for (int x : xs) if (x >= limit) out.add(x);\n"
        "  return out;\n }\n}\n",
        2,
    ),
    Sample(
        "an account that refuses",
        "java",
        "`new Cuenta(10).sacar(3)` devuelve 7 y `new Cuenta(10).sacar(11)` lanza"
        " IllegalArgumentException.",
        "class Cuenta {\n private int saldo;\n Cuenta(int s) { saldo = s; }\n int sacar(int n) {\n"
        "  if (n > saldo) throw new IllegalArgumentException();\n  saldo -= n;"
        " return saldo;\n }\n}\n",
        "class Cuenta {\n private int saldo;\n Cuenta(int s) { saldo = s; }\n int sacar(int n) {\n"
        "  saldo -= n; return saldo;\n }\n}\n",
        2,
    ),
)
RUST = (
    Sample(
        "the first word",
        "rust",
        "Write `fn first_word(s: &str) ->"
        ' Option<&str>`.\nassert_eq!(first_word("a b"), Some("a"));\n'
        'assert_eq!(first_word(""), None);',
        "fn first_word(s: &str) -> Option<&str> { s.split_whitespace().next() }\n",
        "fn first_word(s: &str) -> Option<&str> { s.split(' ').next() }\n",
        2,
    ),
    Sample(
        "numbers in order",
        "rust",
        "Escribe `ordenar(v)` que ordena el vector de menor a mayor.\n"
        "ordenar([3, 1, 2]) == [1, 2, 3]\nordenar([10, 9]) == [9, 10]",
        "fn ordenar(v: &mut Vec<i64>) { v.sort(); }\n",
        "fn ordenar(v: &mut Vec<i64>) { v.sort_by_key(|x| x.to_string()); }\n",
        2,
    ),
)
GO = (
    Sample(
        "the mean or an error",
        "go",
        "Write `func Mean(xs []float64) (float64, error)`.\nMean([]float64{1, 2}) == 1.5\n"
        "Mean([]float64{4}) == 4",
        'package stats\nimport "errors"\nfunc Mean(xs []float64) (float64, error) {\n'
        ' if len(xs) == 0 { return 0, errors.New("empty") }\n s := 0.0\n'
        " for _, x := range xs { s += x }\n return s / float64(len(xs)), nil\n}\n",
        'package stats\nimport "errors"\nfunc Mean(xs []float64) (float64, error) {\n'
        ' if len(xs) == 0 { return 0, errors.New("empty") }\n s := 0.0\n'
        " for i := 1; i < len(xs); i++ { s += xs[i] }\n return s / float64(len(xs)), nil\n}\n",
        2,
    ),
    Sample(
        "words turned round",
        "go",
        "La función `invertir(texto)` devuelve las palabras en orden inverso.\n"
        'invertir("uno dos tres") → "tres dos uno"\ninvertir("") → ""',
        'package main\nimport "strings"\nfunc Invertir(t string) string {\n'
        " p := strings.Fields(t)\n for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {\n"
        '  p[i], p[j] = p[j], p[i]\n }\n return strings.Join(p, " ")\n}\nfunc main() {}\n',
        'package main\nimport "strings"\nfunc Invertir(t string) string {\n'
        ' return strings.Join(strings.Fields(t), " ")\n}\nfunc main() {}\n',
        2,
    ),
)
PHP = (
    Sample(
        "the longest word",
        "php",
        "Función `masLarga(string $frase): string`. masLarga('un árbol alto') devuelve 'árbol',"
        " y masLarga('') devuelve ''.",
        "<?php\nfunction masLarga(string $frase): string {\n $m = '';\n"
        " foreach (explode(' ', $frase) as $p) if (strlen($p) > strlen($m)) $m"
        " = $p;\n return $m;\n}",
        "<?php\nfunction masLarga(string $frase): string {\n $p = explode(' ', $frase);\n"
        " return end($p);\n}",
        2,
    ),
    Sample(
        "prices with their tax",
        "php",
        "Write `with_tax(array $prices, $rate)`.\nwith_tax(['a' => 10], 0.5) === ['a' => 15.0]\n"
        "with_tax([], 1) === []",
        "function with_tax(array $prices, $rate) {\n"
        " return array_map(fn ($p) => $p * (1 + $rate), $prices);\n}",
        "function with_tax(array $prices, $rate) {\n"
        " return array_values(array_map(fn ($p) => $p * (1 + $rate), $prices));\n}",
        2,
    ),
)
RUBY = (
    Sample(
        "even and odd",
        "ruby",
        "Write `split_parity(numbers)` giving a hash.\n"
        "split_parity([1, 2, 3]) => {even: [2], odd: [1, 3]}\n"
        "split_parity([]) => {even: [], odd: []}",
        "def split_parity(numbers)\n even, odd = numbers.partition(&:even?)\n"
        " { even: even, odd: odd }\nend\n",
        "def split_parity(numbers)\n even, odd = numbers.partition(&:odd?)\n"
        " { even: even, odd: odd }\nend\n",
        2,
    ),
    Sample(
        "a program that greets",
        "ruby",
        "El programa lee un nombre por teclado y saluda.\n\nEntrada: Ana\nSalida: Hola, Ana!\n\n"
        "Entrada: Luis\nSalida: Hola, Luis!",
        'puts "Hola, #{gets.chomp}!"\n',
        'puts "Hola, #{gets}!"\n',
        2,
    ),
)
CSHARP = (
    Sample(
        "the factorial",
        "csharp",
        "Escribe el método `long Factorial(int n)`.\nFactorial(5) == 120\nFactorial(0) == 1",
        "class Calculo {\n static long Factorial(int n) { return n < 2 ? 1 : n"
        " * Factorial(n - 1); }"
        "\n}\n",
        "class Calculo {\n static long Factorial(int n) { return n < 2 ? n : n"
        " * Factorial(n - 1); }"
        "\n}\n",
        2,
    ),
    Sample(
        "names that start alike",
        "csharp",
        "Write `List<string> StartingWith(string[] names, char c)`.\n"
        'StartingWith({"Ana", "Leo"}, \'A\') returns {"Ana"}\nStartingWith({}, \'A\') returns {}',
        "public class Names {\n public List<string> StartingWith(string[] names, char c) {\n"
        "  return names.Where(n => n.StartsWith(c.ToString())).ToList();\n }\n}\n",
        "public class Names {\n public List<string> StartingWith(string[] names, char c) {\n"
        "  return names.Where(n => n.Contains(c)).Skip(1).ToList();\n }\n}\n",
        2,
    ),
)
BASH = (
    Sample(
        "lines in order",
        "bash",
        "Write a script that reads words, one a line, and prints each once, sorted.\n\n"
        "Input:\npear\nfig\npear\nOutput:\nfig\npear\n\nInput:\nfig\nOutput:\nfig",
        "sort -u\n",
        "uniq\n",
        2,
    ),
    Sample(
        "the sum of two numbers",
        "bash",
        "Lee dos números en una línea y escribe su suma.\n\nEntrada: 2 3\nSalida: 5\n\n"
        "Entrada: 10 -4\nSalida: 6",
        'read -r a b\necho "$((a + b))"\n',
        "read -r a b\necho $a + $b\n",
        2,
    ),
)
SQL = (
    Sample(
        "the dearest products",
        "sql",
        "La tabla productos(nombre, precio) tiene los productos ('pan', 2), ('sal', 1) y"
        " ('vino', 9). Escribe una consulta con el nombre de los que cuestan más de 1.\n\n"
        "| nombre |\n|---|\n| pan |\n| vino |",
        "SELECT nombre FROM productos WHERE precio > 1;",
        "SELECT nombre FROM productos WHERE precio >= 1;",
        1,
    ),
    Sample(
        "the mean of each group, from statements",
        "sql",
        "Given\n\n```sql\nCREATE TABLE marks (student TEXT, mark REAL);\n"
        "INSERT INTO marks VALUES ('Ana', 5), ('Ana', 8), ('Leo', 4);\n```\n\n"
        "list each student with the mean mark, ordered by the mean, the largest first:\n\n"
        "| student | mean |\n|---|---|\n| Ana | 6.5 |\n| Leo | 4 |\n",
        "SELECT student, AVG(mark) AS mean FROM marks GROUP BY student ORDER BY mean DESC;",
        "SELECT student, AVG(mark) AS mean FROM marks GROUP BY student ORDER BY mean;",
        1,
    ),
)
SAMPLES = (*C, *CPP, *JAVA, *RUST, *GO, *PHP, *RUBY, *CSHARP, *BASH, *SQL)
