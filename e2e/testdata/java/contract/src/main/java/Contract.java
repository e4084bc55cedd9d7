import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Answers what the contract of every language asks: see e2e/languages_test.go. */
public class Contract {
  static final String GREETING = "Hello World!";

  public static void main(String[] args) throws IOException {
    long heap = Runtime.getRuntime().maxMemory();
    if (heap > 384L << 20) { // of the machine's memory, not of the instance's
      throw new IllegalStateException("the heap may grow to " + heap + " bytes");
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("SIGTERM received")));
    HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
    answer(server, "/", () -> GREETING);
    answer(server, "/env", () -> json(System.getenv()));
    answer(server, "/disk", () -> json(Map.of("app", write("x"), "tmp", write("/tmp/x"))));
    server.start();
  }

  static void answer(HttpServer server, String path, Supplier<String> text) {
    server.createContext(path, exchange -> {
      byte[] body = text.get().getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
  }

  static String write(String path) {
    try {
      Files.writeString(Path.of(path), "x");
      return "written";
    } catch (IOException e) {
      return "refused: " + e;
    }
  }

  static String json(Map<String, String> map) {
    return map.entrySet().stream()
        .map(e -> quote(e.getKey()) + ":" + quote(e.getValue()))
        .collect(Collectors.joining(",", "{", "}"));
  }

  static String quote(String s) {
    return '"' + s.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
  }
}
