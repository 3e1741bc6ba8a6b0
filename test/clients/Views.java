import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

/**
 * Reads every view of a store through JDBC, as a BI tool does: each column
 * arrives as the Java type of its SQL type, and filters take parameters.
 *
 *     java -cp postgresql.jar Views.java URL STORE
 */
public class Views {
	/** What a value of a type of SQL may arrive as; another type is a fault. */
	static final Map<Integer, Class<?>> CLASSES = Map.of(
		Types.VARCHAR, String.class, Types.INTEGER, Integer.class, Types.BIGINT, Long.class, Types.NUMERIC, BigDecimal.class,
		Types.BIT, Boolean.class, Types.DATE, java.sql.Date.class, Types.TIMESTAMP, Timestamp.class, Types.DOUBLE, Double.class);

	static int faults = 0;

	static void fault(String what) {
		System.out.println("FAULT " + what);
		faults++;
	}

	static String quoted(String name) {
		return '"' + name.replace("\"", "\"\"") + '"';
	}

	public static void main(String[] arguments) throws SQLException {
		String store = arguments[1];
		try (Connection connection = DriverManager.getConnection(arguments[0])) {
			connection.setReadOnly(true);
			connection.setAutoCommit(false);
			List<String> views = new ArrayList<>();
			try (ResultSet tables = connection.getMetaData().getTables(null, store.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"), "%", new String[] {"VIEW", "MATERIALIZED VIEW"})) {
				while (tables.next())
					views.add(tables.getString("TABLE_NAME"));
			}
			Collections.sort(views);
			for (String view : views)
				read(connection, quoted(store) + "." + quoted(view), view);
			System.out.println(views.size() + " views");
		}
		System.exit(faults == 0 ? 0 : 1);
	}

	static void read(Connection connection, String name, String view) throws SQLException {
		Object[] first = null;
		ResultSetMetaData columns;
		int count = 0;
		try (Statement statement = connection.createStatement()) {
			// in portions, by a cursor
			statement.setFetchSize(100);
			ResultSet rows = statement.executeQuery("SELECT * FROM " + name);
			columns = rows.getMetaData();
			for (int i = 1; i <= columns.getColumnCount(); i++) {
				if (!CLASSES.containsKey(columns.getColumnType(i)))
					fault(view + "." + columns.getColumnName(i) + " is of the type " + columns.getColumnTypeName(i));
				if (columns.getColumnType(i) == Types.NUMERIC && (columns.getPrecision(i) == 0 || columns.getScale(i) > columns.getPrecision(i)))
					fault(view + "." + columns.getColumnName(i) + " has no precision");
			}
			while (rows.next() && count < 1000) {
				Object[] row = new Object[columns.getColumnCount()];
				for (int i = 1; i <= row.length; i++) {
					Object value = row[i - 1] = rows.getObject(i);
					Class<?> expected = CLASSES.get(columns.getColumnType(i));
					if (value != null && expected != null && !expected.isInstance(value))
						fault(view + "." + columns.getColumnName(i) + " is a " + value.getClass().getName());
				}
				if (first == null)
					first = row;
				count++;
			}
		}
		System.out.println(view + ": " + columns.getColumnCount() + " columns, " + (count == 0 ? "no rows" : "rows"));
		// the first row is found again by each of its values
		for (int i = 1; first != null && i <= first.length; i++) {
			if (first[i - 1] == null || columns.getColumnType(i) == Types.DOUBLE)
				continue;
			String filter = "SELECT count(*) FROM " + name + " WHERE " + quoted(columns.getColumnName(i)) + " = ?";
			try (PreparedStatement statement = connection.prepareStatement(filter)) {
				statement.setObject(1, first[i - 1]);
				ResultSet found = statement.executeQuery();
				found.next();
				if (found.getLong(1) < 1)
					fault(view + "." + columns.getColumnName(i) + " = ? does not find " + first[i - 1]);
			}
		}
	}
}
