import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Archives the working folder with java.util.zip. */
class Zip {
    public static void main(String[] arguments) throws Exception {
        try (OutputStream out = Files.newOutputStream(Path.of(arguments[0]));
                ZipOutputStream zip = new ZipOutputStream(out);
                var found = Files.walk(Path.of("."))) {
            for (Path file : (Iterable<Path>) found.filter(Files::isRegularFile)::iterator) {
                zip.putNextEntry(new ZipEntry(Path.of(".").relativize(file).toString()));
                Files.copy(file, zip);
                zip.closeEntry();
            }
        }
    }
}
