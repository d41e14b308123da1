const { DeleteItemCommand, DynamoDBClient, ScanCommand } = require("@aws-sdk/client-dynamodb");

const database = new DynamoDBClient({});

exports.handler = async () => {
  const TableName = process.env.TABLE_NAME;
  const { Items } = await database.send(new ScanCommand({ TableName }));
  for (const { id } of Items) {
    await database.send(new DeleteItemCommand({ TableName, Key: { id } }));
  }
};
